// Every damage to a repository is caught and its file named. While an older base backup is whole
// the rows come back exactly from that one; else the recovery fails, what is live is as it was, and
// once the file is whole again the same recovery succeeds.
import { readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layout } from "../../host/config.ts";
import { cipherPassOf } from "../../host/manifest-view.ts";
import { keepSecrets } from "../../host/secret.ts";
import { decrypted, encrypted } from "../support/backrest-cipher.ts";
import {
  all,
  change,
  close,
  cut,
  filesIn,
  type Repair,
  replaceBy,
  take,
  turnBits,
} from "../support/damage.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import { momentNow, type RecoveringHost, recoveringHost } from "../support/recovering.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };
const count = 2000;

let host: TestHost;
/** Of another host. */
let other: TestHost;
let it: RecoveringHost;
let oid: number;
let target: string;
/** Of all base backups, the oldest first. */
let labels: string[];
let full: string;
let incremental: string;
/** The segment in which rows are that are in no backup. */
let segment: string;

beforeAll(async () => {
  [host, other] = await Promise.all([startTestHost(), startTestHost()]);
  it = recoveringHost(host);
  await it.makeTenant("proj_ledger", roles);
  oid = await it.oidOf("proj_ledger");
  await run("create table kept as select generate_series(1, 20000) as n");
  await it.baseBackup("full");
  await run("create table changed as select generate_series(1, 20000) as n");
  await it.baseBackup();
  const { base_backups } = await it.report("base_backups", {});
  labels = base_backups.map(({ label }) => label);
  [full = "", incremental = ""] = labels.slice(-2);
  await run(`create table ledger as select generate_series(1, ${count}) as n`);
  const [{ name }] = await it.sql(
    "postgres",
    "select pg_walfile_name(pg_current_wal_insert_lsn()) as name",
  );
  segment = name;
  [{ time: target }] = await it.sql("postgres", momentNow);
  await run("drop table ledger");
  await it.report("recovery_window", {});
}, 120_000);

afterAll(async () => {
  await host?.stop();
  await other?.stop();
});

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
const withOtherKey = /^The repository's lists, .* were encrypted with another key than/;
const inOtherWal = /^Among the WAL that follows the base backup \S+ is another host's/;
const inWal =
  /^(WAL is missing or damaged at the end of segment [0-9A-F]{24}|The WAL that follows)/;

type Damage = readonly [what: string, damage: () => Repair, words: RegExp];

const ofBackups: readonly Damage[] = [
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
];

const ofAll: readonly Damage[] = [
  ["bits of every backup", () => each(labels.flatMap(contents), turnBits), inBackup],
  [
    "every backup",
    () =>
      each(
        labels.map((label) => join(backups(), label)),
        take,
      ),
    inManifest,
  ],
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
  ["the segment of WAL, for another host's", () => each(wal(), foreignWal), inWal],
  ["a segment of WAL of this host", () => each(wal(), exchangeHost), inOtherWal],
  ["the key of its lists", () => each([...backupInfo(), ...archiveInfo()], foreign), withOtherKey],
  ["access to the backups", () => close(backups()), inLists],
  ["access to the archive", () => close(archive()), inLists],
];

const foreignRepository = () => join(other.config.directory, "repository");
/** The file of the same name in another host's repository, which has another key. */
const foreign = (file: string) =>
  replaceBy(file, join(foreignRepository(), relative(repository(), file)));
const foreignWal = (file: string) => {
  const archived = filesIn(join(foreignRepository(), "archive", "main"));
  return replaceBy(file, archived.find((one) => /\/[0-9A-F]{24}-[^/]+$/.test(one)) ?? "");
};

// In a segment's first page its host's number is at this byte.
const systemAt = 24;

/** Has a segment be of another host, and all else as it was. */
function exchangeHost(file: string): Repair {
  const secrets = keepSecrets(layout(host.config.directory).secrets);
  const info = readFileSync(join(archive(), "archive.info"));
  const pass = cipherPassOf(decrypted(info, secrets.repository_key).toString()) ?? "";
  return change(file, (before) => {
    const bytes = zstdDecompressSync(decrypted(before, pass));
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(systemAt) + 1n, systemAt);
    return encrypted(zstdCompressSync(bytes), pass);
  });
}

function exchangeManifests(): Repair {
  const others = manifests(full);
  return all(manifests(incremental).map((file, at) => replaceBy(file, others[at] ?? file)));
}

/** Rows of the ledger in a recovery that is ready, and their sum; ends it. */
async function ledgerIn(recovery_id: string) {
  const [name = ""] = it.scratchNames();
  const socket = join(host.config.directory, "scratch", name);
  const options = "-c search_path=public";
  const at = { host: socket, port: 1, database: "proj_ledger", options };
  const client = new Client({ ...at, ...host.login });
  await client.connect();
  const text = `select count(*)::int as n, sum(n)::int as sum,
    (select sum(n)::int from kept) + (select sum(n)::int from changed) as others from ledger`;
  const { rows } = await client.query(text).finally(() => client.end());
  await it.report("recovery.end", { recovery_id });
  return rows[0];
}

const exact = {
  n: count,
  sum: (count * (count + 1)) / 2,
  others: 20_000 * 20_001,
};

test.each(ofBackups)("without %s the rows come back from an older one", async (...damage) => {
  const [, inflict, words] = damage;
  const repair = inflict();
  try {
    const { recovery_id, status } = await it.start(target, oid);
    expect(status.state, `${status.error}`).toBe("ready");
    const [first] = status.passed_over;
    expect(first).toMatchObject({ repository: 1, backup_label: incremental });
    expect(first?.problem).toMatch(words);
    expect(JSON.stringify(status)).not.toContain(host.config.directory);
    expect(status.backup_label).not.toBe(incremental);
    expect(await ledgerIn(recovery_id)).toEqual(exact);
  } finally {
    repair();
  }
});

test.each(ofAll)("without %s a recovery fails with words", async (_, damage, words) => {
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

test("once all is whole again the same moment comes back from the newest", async () => {
  const { recovery_id, status } = await it.start(target, oid);
  expect(status).toMatchObject({ state: "ready", backup_label: incremental, passed_over: [] });
  expect(await ledgerIn(recovery_id)).toEqual(exact);
});
