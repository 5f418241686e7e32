// Every damage to a repository is caught: the recovery fails and names the file, what is live is as
// it was, and once the file is whole again the same recovery succeeds.
import { randomUUID } from "node:crypto";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  all,
  close,
  cut,
  filesIn,
  type Repair,
  replaceBy,
  take,
  turnBits,
} from "../support/damage.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import {
  momentNow,
  type RecoveringHost,
  recoveringHost,
  tenantPassword,
} from "../support/recovering.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };
const rows = 2000;

let host: TestHost;
let it: RecoveringHost;
let oid: number;
let target: string;
let full: string;
let incremental: string;
/** The segment in which rows are that are in no backup. */
let segment: string;

beforeAll(async () => {
  host = await startTestHost();
  it = recoveringHost(host);
  await it.makeTenant("proj_ledger", roles);
  oid = await it.oidOf("proj_ledger");
  await run("create table kept as select generate_series(1, 20000) as n");
  await it.baseBackup("full");
  await run("create table changed as select generate_series(1, 20000) as n");
  await it.baseBackup();
  const { base_backups } = await it.report("base_backups", {});
  [full = "", incremental = ""] = base_backups.slice(-2).map(({ label }) => label);
  await run(`create table ledger as select generate_series(1, ${rows}) as n`);
  const [{ name }] = await it.sql(
    "postgres",
    "select pg_walfile_name(pg_current_wal_insert_lsn()) as name",
  );
  segment = name;
  [{ time: target }] = await it.sql("postgres", momentNow);
  await run("drop table ledger");
  await it.report("recovery_window", {});
}, 120_000);

afterAll(() => host?.stop());

const run = (text: string) =>
  it.asTenant("proj_ledger", roles.login, (client) => client.query(text));

const repository = () => join(host.config.directory, "repository");
const backups = () => join(repository(), "backup", "main");
const archive = () => join(repository(), "archive", "main");
const both = (path: string) => [path, `${path}.copy`];
const manifests = (label: string) => both(join(backups(), label, "backup.manifest"));
const backupInfo = () => both(join(backups(), "backup.info"));
const archiveInfo = () => both(join(archive(), "archive.info"));
const contents = (label: string) =>
  filesIn(join(backups(), label)).filter((file) => !basename(file).startsWith("backup.manifest"));
const wal = () => filesIn(archive()).filter((file) => basename(file).startsWith(segment));
const otherWal = () =>
  filesIn(archive()).find(
    (file) => /^[0-9A-F]{24}-/.test(basename(file)) && !basename(file).startsWith(segment),
  ) ?? "";

const each = (files: readonly string[], damage: (file: string) => Repair) =>
  all(files.map((file) => damage(file)));
const half = (file: string) => cut(file, 0.5);
const empty = (file: string) => cut(file, 0);

const inBackup = /^The base backup \d{8}-\d{6}F\S*, or one it builds on, is damaged/;
const inManifest = /^The manifest of the base backup \d{8}-\d{6}F\S* is missing or damaged/;
const inLists = /^The repository's lists, backup.info and archive.info, cannot be read/;
const inWal =
  /^(WAL is missing or damaged at the end of segment [0-9A-F]{24}|The WAL that follows)/;

const damages: readonly (readonly [what: string, damage: () => Repair, words: RegExp])[] = [
  ["bits of the newest backup", () => each(contents(incremental), turnBits), inBackup],
  ["half of the newest backup", () => each(contents(incremental), half), inBackup],
  ["the newest backup's files", () => each(contents(incremental), take), inBackup],
  [
    "all but the names of the newest backup's files",
    () => each(contents(incremental), empty),
    inBackup,
  ],
  ["bits of the backup it builds on", () => each(contents(full), turnBits), inBackup],
  ["half of the backup it builds on", () => each(contents(full), half), inBackup],
  ["the files of the backup it builds on", () => each(contents(full), take), inBackup],
  ["the whole backup it builds on", () => take(join(backups(), full)), inBackup],
  ["bits of its manifest", () => each(manifests(incremental), turnBits), /manifest/],
  ["half of its manifest", () => each(manifests(incremental), half), inManifest],
  ["its manifest", () => each(manifests(incremental), take), inManifest],
  ["its manifest, for another's", () => exchangeManifests(), inBackup],
  ["bits of the list of backups", () => each(backupInfo(), turnBits), inLists],
  ["half of the list of backups", () => each(backupInfo(), half), inLists],
  ["the list of backups", () => each(backupInfo(), take), /^No base backup is older/],
  ["bits of the list of archives", () => each(archiveInfo(), turnBits), inLists],
  ["the list of archives", () => each(archiveInfo(), take), inLists],
  ["bits of a segment of WAL", () => each(wal(), turnBits), inWal],
  ["half of a segment of WAL", () => each(wal(), half), inWal],
  ["a segment of WAL", () => each(wal(), take), inWal],
  ["all but the name of a segment of WAL", () => each(wal(), empty), inWal],
  ["a segment of WAL, for another", () => each(wal(), (to) => replaceBy(to, otherWal())), inWal],
  ["access to the backups", () => close(backups()), inLists],
  ["access to the archive", () => close(archive()), inLists],
];

function exchangeManifests(): Repair {
  const others = manifests(full);
  return all(manifests(incremental).map((file, at) => replaceBy(file, others[at] ?? file)));
}

async function rowsThere(): Promise<number> {
  const { recovery_id, status } = await it.start(target, oid);
  expect(status.state, `${status.error}`).toBe("ready");
  const into = `proj_${randomUUID().slice(0, 8)}`;
  const unique = randomUUID()
    .replaceAll(/[^a-f]/g, "")
    .padEnd(20, "z")
    .slice(0, 20);
  const own = { owner: `own_${unique}`, login: `usr_${unique}` };
  await it.makeTenant(into, own);
  const login = { database: into, user: own.login, password: tenantPassword };
  await it.report("recovery.load", { recovery_id, into: login });
  const { load } = await it.settled(recovery_id, (now) => now.load?.state !== "running");
  expect(load?.error).toBeNull();
  await it.report("recovery.end", { recovery_id });
  return (await it.sql(into, "select count(*)::int as n from ledger"))[0].n;
}

test.each(damages)("without %s a recovery fails with words", async (_, damage, words) => {
  const repair = damage();
  try {
    const { status } = await it.start(target, oid);
    expect(status.state).toBe("failed");
    expect(status.error).toMatch(words);
    expect(status.error).not.toContain(host.config.directory);
    expect(it.scratchNames()).toEqual([]);
  } finally {
    repair();
  }
  expect(await run("select count(*)::int as n from kept")).toMatchObject({ rows: [{ n: 20_000 }] });
});

test("once all is whole again the same moment comes back exactly", async () => {
  expect(await rowsThere()).toBe(rows);
});
