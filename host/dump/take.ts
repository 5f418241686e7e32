// One dump of a living database, made in its box by a role that sees everything and changes
// nothing: what a tenant put into its database finds no rights there that it does not have.
import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import { run } from "../base/spawn.ts";
import { type Box, toolLine } from "../instance/box.ts";
import type { Fleet } from "../instance/fleet.ts";
import { platformSession } from "../instance/session.ts";
import { dumpRole } from "../instance/template.ts";
import { verifierOf } from "../instance/verifier.ts";
import { atSocket, startProgram } from "./program.ts";
import type { DumpStore } from "./store.ts";

// Whoever holds a table for longer than that fails the dump, rather than keeps it waiting.
const lockWaitMilliseconds = 60_000;

// What a tenant set for its database is not for this session.
const ownSettings = [
  ...["role=none", "statement_timeout=0", "transaction_timeout=0", "search_path=pg_catalog"],
  ...["default_transaction_read_only=on", "row_security=off"],
  // A backend that waits for a lock would not notice that its pg_dump was ended.
  "client_connection_check_interval=1000",
];

const how = [
  ...["-Fc", "-Z", "gzip:3", `--lock-wait-timeout=${lockWaitMilliseconds}`],
  // Every database here has it, and elsewhere it takes a superuser to have it.
  "--exclude-extension=pg_stat_statements",
];

/** One dump. */
export interface DumpOrder {
  readonly id: string;
  readonly database: string;
  readonly signal: AbortSignal;
  /** Called with how much more of it there is. */
  readonly onBytes: (bytes: number) => void;
}

/** Lets the role in while work is done; nobody knows its password before and after. */
async function whileAdmitted(
  fleet: Fleet,
  box: Box,
  database: string,
  work: (password: string) => Promise<void>,
): Promise<void> {
  const platform = platformSession(fleet, box.place, database);
  const password = randomBytes(32).toString("base64url");
  try {
    await platform.query(`
      grant connect on database ${database} to ${dumpRole};
      alter role ${dumpRole} login password '${await verifierOf(password)}'`);
    await work(password);
  } finally {
    // Its instance may be gone, or stopped; the next dump has another password.
    await platform.query(`alter role ${dumpRole} nologin password null`).catch(() => undefined);
    await platform.close();
  }
}

async function* counted(output: Readable, ended: Promise<void>, { onBytes }: DumpOrder) {
  for await (const chunk of output) {
    onBytes(chunk.length);
    yield chunk as Buffer;
  }
  // What ended badly is no dump, however much of it came.
  await ended;
}

/** Streams one database of a running instance into the store. @throws Error in pg_dump's words */
export async function takeDump(
  { fleet, store }: { readonly fleet: Fleet; readonly store: DumpStore },
  box: Box,
  order: DumpOrder,
): Promise<void> {
  const { id, database, signal } = order;
  const version = (await run(toolLine(box, "pg_dump", ["--version"]))).trim();
  await whileAdmitted(fleet, box, database, async (password) => {
    const { output, ended } = startProgram(box, {
      name: "pg_dump",
      args: [...atSocket(dumpRole, database), ...how],
      secrets: {
        PGPASSWORD: password,
        PGOPTIONS: ownSettings.map((setting) => `-c ${setting}`).join(" "),
      },
      signal,
    });
    await store.write(id, counted(output, ended, order), version);
  });
}
