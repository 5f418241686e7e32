// Dumps of a test's databases, made and looked at as a control plane does.
import { randomUUID } from "node:crypto";
import { createAwake } from "../../host/dump/awake.ts";
import { openDumps } from "../../host/dump/dump.ts";
import type { DumpReport } from "../../src/contract/dump.ts";
import { until } from "./client.ts";
import type { openTestDatabases } from "./databases.ts";

/** Opens the dumps of a host. */
export function openTestDumps(host: Awaited<ReturnType<typeof openTestDatabases>>) {
  const { fleet, keeper, dumpStore: store, dumps: directory } = host;
  const awake = createAwake(keeper);
  const dumps = openDumps({ fleet, keeper, store, awake });
  const status = (dump_id: string) => dumps.handlers["dump.status"]({ dump_id });

  /** Begins one. @returns its id */
  async function start(database: string): Promise<string> {
    const dump_id = randomUUID();
    await dumps.handlers["dump.start"]({ dump_id, database });
    return dump_id;
  }

  /** What a dump is once it is over. */
  const over = (id: string): Promise<DumpReport> =>
    until(
      "A dump",
      () => status(id),
      ({ state }) => ["succeeded", "failed"].includes(state),
      120,
    );

  /** Makes one, and fails when it does not succeed. @returns its id */
  async function make(database: string): Promise<string> {
    const id = await start(database);
    const { state, error } = await over(id);
    if (state !== "succeeded") throw new Error(`The dump of ${database} failed: ${error}`);
    return id;
  }

  return { ...dumps, directory, awake, status, start, over, make };
}
