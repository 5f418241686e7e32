// Loads a dump into a fresh instance that no client is led to, as the role that owns its database:
// what is in an archive may be anybody's, and what of it is code runs with the tenant's rights.
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import type { Box } from "../instance/box.ts";
import { removeTree } from "../instance/files.ts";
import type { Fleet } from "../instance/fleet.ts";
import { socketPort } from "../instance/place.ts";
import { platformSession } from "../instance/session.ts";
import { verifierOf } from "../instance/verifier.ts";
import {
  entriesOf,
  inBox,
  onHost,
  reachOf,
  readArchive,
  sortEntries,
  type Unpacked,
} from "./archive.ts";
import { atSocket, runProgram } from "./program.ts";
import { giveRights, makePolicies } from "./rights.ts";
import { type DumpStore, whileRoom } from "./store.ts";

const jobs = "2";
const sortMegabytesMax = 96;

/** Settings of a load's sessions. */
function loadOptions({ limits }: Box): string {
  // Each job sorts in memory what it indexes, within what one process may take.
  const share = Math.floor(limits.dataBytesMax / 3 / 1024 ** 2);
  const megabytes = Math.max(1, Math.min(sortMegabytesMax, share));
  // Nothing of it counts before the last commit of the load, which waits for the disk and with it
  // for all WAL before.
  return `-c maintenance_work_mem=${megabytes}MB -c synchronous_commit=off`;
}

/** Where dumps are, and whose instances they are loaded into. */
export interface LoadParts {
  readonly fleet: Fleet;
  readonly store: DumpStore;
}

/** What is loaded into. */
export interface LoadTarget {
  readonly database: string;
  /** The login that owns the database, and all of what is loaded. */
  readonly owner: string;
}

/** Lets the host log in as the owner while it works; the owner's own password is kept. */
async function asOwner(
  { fleet }: LoadParts,
  box: Box,
  { database, owner }: LoadTarget,
  work: (password: string) => Promise<void>,
): Promise<void> {
  const platform = platformSession(fleet, box.place, database);
  const password = randomBytes(32).toString("base64url");
  try {
    const kept = `select rolpassword as verifier from pg_authid where rolname = '${owner}'`;
    const [row] = await platform.query<{ verifier: string | null }>(kept);
    if (row === undefined) throw new Error(`There is no role ${owner} to load a dump as.`);
    await platform.query(`alter role ${owner} password '${await verifierOf(password)}'`);
    await work(password);
    const former = row.verifier === null ? "null" : `'${row.verifier}'`;
    await platform.query(`alter role ${owner} password ${former}`);
  } finally {
    await platform.close();
  }
}

/** Lays the archive out for a program in the box. @throws HostProblem 404, 507 */
async function unpack({ store }: LoadParts, dumpId: string, unpacked: Unpacked): Promise<void> {
  const { box, directory, signal } = unpacked;
  const { content } = await store.read(dumpId);
  const path = onHost(unpacked).archive;
  // Only the user of the box may read it, beside the host.
  const file = createWriteStream(path, { mode: 0o600 });
  await pipeline(whileRoom(directory, content), file, { signal });
  if (box.uid !== null) chownSync(path, box.uid, box.uid);
}

/** Has the list of what is to be read next begin anew. */
function writeList(unpacked: Unpacked, entries: readonly string[]): void {
  const path = onHost(unpacked).list;
  writeFileSync(path, entries.map((entry) => `${entry}\n`).join(""));
  chmodSync(path, 0o644);
}

/** The statements of some entries; none of none. */
async function textOf(unpacked: Unpacked, entries: readonly string[]): Promise<string> {
  if (entries.length === 0) return "";
  writeList(unpacked, entries);
  const text = await readArchive(unpacked, ["-L", inBox.list, "-f", "-", inBox.archive]);
  // What pg_restore writes for psql alone is not SQL.
  return text.replaceAll(/^\\.*$/gm, "");
}

async function restoreEntries(
  unpacked: Unpacked,
  { database, owner }: LoadTarget,
  password: string,
  entries: readonly string[],
): Promise<void> {
  const { box, signal } = unpacked;
  writeList(unpacked, entries);
  const how = ["-j", jobs, "--exit-on-error", "--no-owner", "--no-privileges", "--verbose"];
  await runProgram(box, {
    name: "pg_restore",
    args: [...atSocket(owner, database), ...how, "-L", inBox.list, inBox.archive],
    secrets: { PGPASSWORD: password, PGOPTIONS: loadOptions(box) },
    readable: reachOf(unpacked),
    signal,
  });
}

/** Loads all of an archive, as its owner-to-be. */
async function loadAll(unpacked: Unpacked, target: LoadTarget, password: string): Promise<void> {
  const { box, signal } = unpacked;
  const { database, owner: user } = target;
  const { first, policies, rights } = sortEntries(await entriesOf(unpacked));
  const texts = {
    policies: await textOf(unpacked, policies),
    rights: await textOf(unpacked, rights),
  };
  await restoreEntries(unpacked, target, password, first);
  const at = { host: box.place.socket, port: socketPort, database };
  const client = new Client({ ...at, user, password });
  client.on("error", () => undefined);
  const end = () => void client.end();
  signal.addEventListener("abort", end, { once: true });
  try {
    await client.connect();
    await makePolicies(client, user, texts.policies);
    await giveRights(client, user, texts.rights);
    await client.query("analyze");
  } finally {
    signal.removeEventListener("abort", end);
    await client.end();
  }
}

/**
 * Loads a stored dump into a running instance whose database is empty; resolves when it is loaded
 * and analyzed. What it leaves when it fails is not to be used.
 * @throws HostProblem 404 when there is no such dump, 507 when the disk is too full
 * @throws Error in pg_restore's words
 */
export async function loadDump(
  parts: LoadParts,
  dumpId: string,
  box: Box,
  target: LoadTarget,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const directory = join(box.place.directory, "load");
  const unpacked = { box, directory, signal };
  await removeTree(directory);
  mkdirSync(directory);
  chmodSync(directory, 0o711);
  try {
    await unpack(parts, dumpId, unpacked);
    await asOwner(parts, box, target, (password) => loadAll(unpacked, target, password));
  } finally {
    await removeTree(directory);
  }
}
