// A copy of an instance that goes on working, as it is at the end of the copy: its files are taken
// one by one, and what was written to them meanwhile is put right from its WAL. Where the file
// system can share blocks nothing is copied.
import { join } from "node:path";
import { messageOf } from "../base/log.ts";
import { endNow, type Running } from "../base/running.ts";
import { run } from "../base/spawn.ts";
import { type Box, toolLine } from "./box.ts";
import { discard } from "./discard.ts";
import { giveTo, layOut, makeOwn, syncFileSystem, writeSettings } from "./files.ts";
import { boxOf, type Fleet } from "./fleet.ts";
import { renewIdentity } from "./identity.ts";
import { listInside, writeInside } from "./inside.ts";
import { type Names, personalize } from "./personalize.ts";
import type { InstancePlace } from "./place.ts";
import type { InstanceRecord } from "./record.ts";
import type { InstanceState } from "./roster.ts";
import { startServer, stopServer } from "./server.ts";
import { makeWalSlot, platformSession } from "./session.ts";

/** What a copy is to be called. */
export interface NewClone {
  readonly name: string;
  /** Number of the user of its database: the same, or a new database's own. */
  readonly slot: number;
  /** For a database of its own; without them it is another instance of the same. */
  readonly names?: Names;
}

/** What belongs to the running Postgres alone. */
const notCopied = new Set([
  ...["postmaster.pid", "postmaster.opts", "pg_wal", "pg_replslot", "backup_label"],
  ...["tablespace_map", "pg_stat_tmp", "recovery.signal"],
]);
const walForm = /^[\dA-F]{24}$|^[\dA-F]{8}\.history$/;
/** Made empty in place of those. */
const madeEmpty = ["pg_replslot", "pg_wal", "pg_wal/archive_status", "pg_wal/summaries"];

/**
 * Copies files of a running instance by a program in its own box: what an intruder exchanges for a
 * link meanwhile leads nowhere. Files that go away meanwhile are put right from WAL.
 */
async function copy(box: Box, from: readonly string[], to: string): Promise<void> {
  if (from.length === 0) return;
  const how = ["-r", "--reflink=auto", "--preserve=mode", "--target-directory=/copy", "--"];
  const reach = { onlyReads: true, writable: { "/copy": to } };
  try {
    await run(
      toolLine(box, "cp", [...how, ...from.map((name) => `/instance/data/${name}`)], reach),
    );
  } catch (error) {
    const said = messageOf(error)
      .replace(/^\S+ failed: /, "")
      .split("\n");
    const isAll = said.every((one) => one.endsWith("No such file or directory"));
    if (!isAll) throw error;
  }
}

interface BackupEnd extends Record<string, unknown> {
  readonly labelfile: string;
  readonly lsn: string;
}

/** A copy of a running instance's files, which its WAL since `label` says makes whole. */
export interface RunningCopy {
  /** The text of its `backup_label`. */
  readonly label: string;
  /** Where the WAL ends that makes it whole. */
  readonly endLsn: string;
}

/**
 * Copies the files of a running instance into a data directory of the same user, `backup_label`
 * with them; also the WAL that makes them whole where that is not at hand elsewhere.
 */
export async function copyRunning(
  fleet: Fleet,
  of: InstanceRecord,
  to: Pick<InstancePlace, "box" | "data">,
  withWal: boolean,
): Promise<RunningCopy> {
  const box = boxOf(fleet, of.name, of.slot, of.size);
  const session = platformSession(fleet, box.place, of.database);
  try {
    await session.query("select pg_backup_start('clone', true)");
    const names = listInside(box.place.box, "data").filter((name) => !notCopied.has(name));
    await copy(box, names, to.data);
    const text = "select labelfile, lsn::text from pg_backup_stop(false)";
    const [end] = await session.query<BackupEnd>(text);
    const { labelfile: label = "", lsn: endLsn = "" } = end ?? {};
    if (withWal) {
      const wal = listInside(box.place.box, "data", "pg_wal").filter((name) => walForm.test(name));
      const paths = wal.map((name) => `pg_wal/${name}`);
      await copy(box, paths, join(to.data, "pg_wal"));
    }
    writeInside(to.box, ["data", "backup_label"], label, box.uid);
    return { label, endLsn };
  } finally {
    // What a backup holds that was not ended goes with its session.
    await session.close();
  }
}

/** Makes an empty data directory with what a copy of files leaves out, for their user. */
export function makeEmptyData(at: Pick<Box, "uid"> & { readonly place: { box: string } }): void {
  for (const name of ["data", ...madeEmpty.map((one) => `data/${one}`)]) makeOwn(at, name);
}

async function addSlot(fleet: Fleet, place: InstancePlace, database: string): Promise<void> {
  const session = platformSession(fleet, place, database);
  await session.query(makeWalSlot);
  await session.close();
}

/** Recovers the copy by its own WAL, and gives it an identity of its own. */
async function comeUp(
  fleet: Fleet,
  of: InstanceRecord,
  { name, slot, names }: NewClone,
): Promise<InstanceState> {
  const box = boxOf(fleet, name, slot, of.size);
  let server: Running | undefined;
  try {
    server = await startServer(box);
    await stopServer(server);
    const systemIdentifier = String(renewIdentity(box.place.box));
    server = await startServer(box);
    if (names === undefined) await addSlot(fleet, box.place, of.database);
    else await personalize(fleet, box.place, of.database, names);
    await syncFileSystem(box.place.directory);
    const { database = of.database, login = of.login } = names ?? {};
    const record = { ...of, name, slot, database, login, systemIdentifier };
    return { record: { ...record, wanted: "running" }, server };
  } catch (error) {
    if (server !== undefined) await endNow(server);
    throw error;
  }
}

/**
 * Makes a writable copy of a running instance. No client is led to it yet.
 * @throws Error when that went wrong; nothing of it is left then
 */
export async function cloneInstance(
  fleet: Fleet,
  of: InstanceRecord,
  wanted: NewClone,
): Promise<InstanceState> {
  const box = boxOf(fleet, wanted.name, wanted.slot, of.size);
  layOut(box);
  try {
    // Written by the source's user, and then given to the copy's.
    const source = boxOf(fleet, of.name, of.slot, of.size);
    makeEmptyData({ place: box.place, uid: source.uid });
    writeSettings(box, of.size);
    await copyRunning(fleet, of, box.place, true);
    await giveTo(box, box.place.data);
    return await comeUp(fleet, of, wanted);
  } catch (error) {
    await discard(fleet, wanted.name);
    throw error;
  }
}
