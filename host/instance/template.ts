// The data directory every instance begins as, made once for a version of Postgres and of this
// file: the platform's own role, and one database with an owner, which a copy gives other names.
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../base/spawn.ts";
import { type Box, toolLine } from "./box.ts";
import { layOut, removeTree, syncFileSystem, writeSettings } from "./files.ts";
import { boxOf, type Fleet, platformPassword, platformRole } from "./fleet.ts";
import { removeLink } from "./link.ts";
import { programsOf } from "./programs.ts";
import { makeReaders } from "./reader.ts";
import { startServer, stopServer } from "./server.ts";
import { platformSession } from "./session.ts";
import { type InstanceSize, segmentBytes } from "./size.ts";

/** The database and the login of a template, until a copy gets names of its own. */
export const templateName = "miosa_template";

/**
 * The role dumps are made by: it reads everything, whatever row security says, and changes nothing.
 * It logs in while a dump is made, and the tenant has no say about it. It reads verifiers, too: the
 * platform's are of passwords with 256 random bits, which nobody guesses.
 */
export const dumpRole = "miosa_dump";

const smallest: InstanceSize = {
  memoryBytes: 512 * 1024 ** 2,
  processors: 1,
  backendsMax: 8,
  temporaryBytesMax: 256 * 1024 ** 2,
};

const initArguments = [
  ...["-D", "/instance/data", "-U", platformRole],
  ...["--pwfile=/instance/password", "--auth=scram-sha-256"],
  // The builtin provider sorts the same on every system and after every upgrade of it.
  ...["-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
  ...["--data-checksums", "--no-instructions", "--no-sync"],
  // WAL goes out as it is written, so a segment need not be small; of an idle instance it is what
  // takes most of the disk.
  ...["--wal-segsize", String(segmentBytes / 1024 ** 2)],
  // Rounds protect weak passwords; the platform's has 256 random bits, and each round costs.
  ...["--set", "scram_iterations=1"],
];

// The tenant owns its database and, with it, `public`; it makes roles, sees its own sessions and
// those of its roles, and ends them. It is no superuser.
const ownerSql = [
  `create role ${templateName} login createrole`,
  `grant pg_monitor, pg_signal_backend, pg_checkpoint to ${templateName}`,
];
const dumpSql = [
  `create role ${dumpRole} nologin bypassrls`,
  // Also when the tenant has taken every connection there is for it.
  `grant pg_read_all_data, pg_use_reserved_connections to ${dumpRole}`,
  `alter role ${dumpRole} set default_transaction_read_only = on`,
  // Large objects are no part of what pg_read_all_data reads.
  `alter role ${dumpRole} set lo_compat_privileges = on`,
];
const databaseSql = `create database ${templateName} owner ${templateName}`;
const closeSql = [
  "revoke connect on database postgres from public",
  "revoke connect on database template1 from public",
  `revoke all on database ${templateName} from public`,
  ...makeReaders(templateName),
];
const wholeSql = [...ownerSql, ...dumpSql, databaseSql, ...closeSql];
// For everybody's slow statements; only the platform makes extensions that are not trusted.
const extensionSql = "create extension pg_stat_statements schema public";

async function prepare(fleet: Fleet, box: Box): Promise<void> {
  const server = await startServer(box);
  const postgres = platformSession(fleet, box.place, templateName);
  const own = platformSession(fleet, box.place, templateName, templateName);
  try {
    for (const text of wholeSql) await postgres.query(text);
    // In `postgres` the platform itself reads what all of the instance did.
    for (const session of [postgres, own]) await session.query(extensionSql);
  } finally {
    await Promise.all([postgres.close(), own.close()]);
    await stopServer(server);
  }
}

/** What a template was made with: another one is made when any of it is another. */
async function versionOf(fleet: Fleet): Promise<string> {
  const { binaries } = fleet;
  const root = binaries.kind === "rootfs" ? binaries.path : "";
  const program = join(programsOf(binaries).postgres);
  const version = await run([join(root, program), "--version"]).catch(() => program);
  const made = [version, ...initArguments, ...wholeSql, extensionSql];
  return createHash("sha256")
    .update(JSON.stringify([made, fleet.secret]))
    .digest("hex")
    .slice(0, 16);
}

/** Makes the template unless it is there. @returns its data directory, which nothing writes to */
export async function ensureTemplate(fleet: Fleet): Promise<string> {
  const kept = join(fleet.directory, `template-${await versionOf(fleet)}`);
  if (existsSync(kept)) return join(kept, "box", "data");
  const box = boxOf(fleet, templateName, 0, smallest);
  const { place } = box;
  await removeTree(place.directory);
  layOut(box);
  writeSettings(box, smallest);
  const password = join(place.box, "password");
  writeFileSync(password, platformPassword(fleet, templateName), { mode: 0o644 });
  await run(toolLine(box, "initdb", initArguments));
  await removeTree(password);
  await prepare(fleet, box);
  await syncFileSystem(place.directory);
  await rename(place.directory, kept);
  removeLink(place.door);
  return join(kept, "box", "data");
}
