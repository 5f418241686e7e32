// A host program of a namespace: it makes an instance the first time, and finds and removes it the
// next. What it is given and what it found are JSON.
import { readFileSync } from "node:fs";
import type { Fleet } from "../../host/instance/fleet.ts";
import { openGroups } from "../../host/instance/group.ts";
import { openKeeper } from "../../host/instance/keeper.ts";
import { platformSession } from "../../host/instance/session.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { small } from "./fleet.ts";

/** What it says. */
export interface InNamespace {
  readonly found: readonly string[];
  /** The process that was made, and what it answered; null when one was found and removed. */
  readonly pid: number | null;
  readonly answer: unknown;
}

// As the host program does.
process.umask(0o022);
const [file = ""] = process.argv.slice(2);
const fleet: Fleet = { ...JSON.parse(readFileSync(file, "utf8")), groups: openGroups([]) };
const nobodyHeld = async () => undefined;
const keeper = await openKeeper(fleet, async () => nobodyHeld);
const found = keeper.roster.all().filter(({ server }) => server !== undefined);
const names = found.map(({ record }) => record.name);
let said: InNamespace = { found: names, pid: null, answer: null };
if (names.length > 0) for (const name of names) await keeper.remove(name);
else {
  const verifier = await verifierOf("secret", 4096);
  const database = "proj_test_ns";
  const wanted = { name: database, database, login: "usr_test_ns", verifier, size: small };
  const { record, server } = await keeper.make(wanted);
  const session = platformSession(fleet, keeper.roster.box(record.name).place, database);
  const [answer] = await session.query("select 1 as one");
  await session.close();
  said = { found: names, pid: server?.pid ?? null, answer };
}
keeper.close();
process.stdout.write(`${JSON.stringify(said)}\n`);
process.exit(0);
