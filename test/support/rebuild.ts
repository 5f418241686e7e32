// Rebuilds a host of a test from its object store, by the program that operators use.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Fleet } from "../../host/instance/fleet.ts";
import type { S3Settings } from "../../host/store/s3.ts";
import { testHost } from "./database-program.ts";
import { createSigner } from "./host-token.ts";

const program = fileURLToPath(new URL("../../host/program/rebuild.ts", import.meta.url));

/** A host that is to be made anew. */
export interface RebuildOrder {
  readonly fleet: Fleet;
  readonly ports: Readonly<Record<"transaction" | "session", number>>;
  readonly s3: S3Settings;
  /** Holds the configuration. */
  readonly home: string;
}

async function configOf({ fleet, ports, s3 }: RebuildOrder) {
  const { transaction: transaction_port, session: session_port } = ports;
  return {
    host_id: testHost.hostId,
    directory: fleet.directory,
    binaries: fleet.binaries,
    first_uid: fleet.firstUid,
    uids_max: 100_000,
    listen: { address: "127.0.0.1", http_port: 1, transaction_port, session_port },
    public_host: "127.0.0.1",
    control_keys: [(await createSigner()).publicJwk],
    backup: { s3 },
  };
}

/** Begins to rebuild it. @returns what it says, as it says it, and how to wait for its end */
export async function beginRebuild(order: RebuildOrder) {
  const [config, secrets] = ["config.json", "secret.json"].map((name) => join(order.home, name));
  writeFileSync(config ?? "", JSON.stringify(await configOf(order)));
  writeFileSync(secrets ?? "", JSON.stringify({ host_secret: order.fleet.secret }));
  const line = [program, "--config", config ?? "", "--secrets", secrets ?? ""];
  const child: ChildProcess = spawn(process.execPath, line, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (bytes: Buffer) => {
      said += bytes;
    });
  }
  const ended = once(child, "close");
  return {
    said: () => said,
    kill: () => child.kill("SIGKILL"),
    /** @returns the code it ended with, and all it said */
    async end() {
      const [code] = await ended;
      return { code: code as number | null, said };
    },
  };
}

/** Rebuilds it. */
export async function rebuildHost(order: RebuildOrder) {
  return (await beginRebuild(order)).end();
}
