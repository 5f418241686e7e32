// What of a repository's base backups reaches the store, in what order, and what leaves it again.
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BaseBackup } from "../../../host/repository/repository.ts";
import { sendBackups } from "../../../host/store/backups.ts";
import type { Copying } from "../../../host/store/copying.ts";
import { type Ledger, openLedgers } from "../../../host/store/ledger.ts";
import { createSealer } from "../../../host/store/seal.ts";
import { encrypted } from "../../support/backrest-cipher.ts";
import { fakeS3 } from "../../support/fake-s3.ts";

const pass = "the key of a repository";
const retention = { recoveryDays: 1, baseBackupDays: 30 };
const info = (key: string, more = "") =>
  encrypted(Buffer.from(`cipher-pass="${key}"\n${more}`), pass);

let directory: string;
let store: ReturnType<typeof fakeS3>;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-backups-"));
  store = fakeS3();
  put("archive/main/archive.info", info("archive"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(path: string, content: Buffer | string = path): void {
  const file = join(directory, "data", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

const drop = (path: string) => rmSync(join(directory, "data", path), { recursive: true });

function putBackup(label: string): void {
  for (const name of ["bundle/1", "backup.manifest", "backup.manifest.copy"]) {
    put(`backup/main/${label}/${name}`);
  }
}

const labels = ["20261101-000000F", "20261102-000000F", "20261103-000000F"] as const;

const backup = (label: string, firstWal: string, lastWal: string): BaseBackup => ({
  ...{ label, type: "full", startedAt: 0, stoppedAt: 0, startLsn: "0/0", endLsn: "0/0" },
  ...{ databaseBytes: 0, repositoryBytes: 0 },
  ...{ firstWal: `0000000100000000${firstWal}`, lastWal: `0000000100000000${lastWal}` },
});

const send = (backups?: readonly BaseBackup[]) =>
  openLedgers(join(directory, "ledger")).use("db", (ledger: Ledger) => {
    const sealer = createSealer("secret");
    const prefix = "database/db/";
    const copying: Copying = { prefix, directory, ledger, s3: store.s3, sealer, pass };
    return sendBackups(copying, async () => backups, retention);
  });

const keys = () => [...store.objects.keys()].map((key) => key.replace("database/db/data/", ""));
const sent = () => store.puts.map((key) => key.replace("database/db/data/", ""));

const segment = (name: string) =>
  `archive/main/17-1/0000000100000000/0000000100000000${name}-${"a".repeat(40)}.zst`;

describe("base backups", () => {
  test("are sent with their manifest last, and the list of all after them", async () => {
    putBackup(labels[0]);
    put("backup/main/backup.info", info("backup"));
    put("backup/main/backup.info.copy", info("backup"));
    put(`backup/main/${labels[1]}/bundle/1`);
    put(`backup/main/${labels[1]}/backup.manifest.copy`);
    put("backup/main/backup.info.copy.pgbackrest.tmp");
    symlinkSync("/etc/passwd", join(directory, "data/backup/main", labels[0], "link"));
    await send();
    expect(sent()).toEqual([
      "archive/main/archive.info",
      `backup/main/${labels[0]}/bundle/1`,
      `backup/main/${labels[0]}/backup.manifest.copy`,
      `backup/main/${labels[0]}/backup.manifest`,
      "backup/main/backup.info.copy",
      "backup/main/backup.info",
    ]);
    await send();
    expect(store.puts).toHaveLength(6);
  });

  test("of a repository that was made anew are not put over those of the former", async () => {
    putBackup(labels[0]);
    put("backup/main/backup.info", info("backup"));
    await send();
    const before = new Map(store.objects);
    put("archive/main/archive.info", info("another"));
    put("backup/main/backup.info", info("another"));
    await expect(send()).rejects.toThrow(/made anew; the store keeps the former/);
    put("archive/main/archive.info", randomBytes(100));
    await expect(send()).rejects.toThrow(/damaged/);
    // Without what was noted it is seen in the store itself.
    rmSync(join(directory, "ledger"), { recursive: true });
    put("archive/main/archive.info", info("another"));
    expect(store.objects).toEqual(before);
  });

  test("whose list is damaged are not told of", async () => {
    putBackup(labels[0]);
    put("backup/main/backup.info", randomBytes(200));
    await expect(send()).rejects.toThrow(/The list of base backups is damaged/);
    expect(keys()).not.toContain("backup/main/backup.info");
  });
});

describe("what is missing here", () => {
  const all = [
    backup(labels[0], "00000001", "00000002"),
    backup(labels[1], "00000005", "00000006"),
    backup(labels[2], "00000009", "0000000A"),
  ];
  const segments = ["00000001", "00000003", "00000005", "00000007", "00000009"];

  beforeEach(async () => {
    for (const label of labels) putBackup(label);
    for (const name of segments) put(segment(name));
    put("backup/main/backup.info", info("backup"));
    await send(all);
    const archive = segments.map(segment);
    for (const key of archive) await store.s3.put(`database/db/data/${key}`, emptyContent);
    await openLedgers(join(directory, "ledger")).use("db", async (ledger) => {
      for (const key of archive) ledger.note(`data/${key}`, { bytes: 0, mark: "" });
    });
  });

  test("is removed when no base backup needs it, and no moment of the window", async () => {
    drop(`backup/main/${labels[0]}`);
    for (const name of ["00000001", "00000003", "00000005"]) drop(segment(name));
    put("backup/main/backup.info", info("backup", "two"));
    await send(all.slice(1));
    expect(keys().filter((key) => key.includes(labels[0]))).toEqual([]);
    // The last one is damage: its base backup needs it.
    expect(keys().filter((key) => key.startsWith("archive/main/17"))).toEqual(
      ["00000005", "00000007", "00000009"].map(segment),
    );
  });

  test("stays when nobody can say what there is", async () => {
    const before = keys();
    drop("backup");
    drop("archive/main/17-1");
    await send(undefined);
    await send([]);
    expect(keys()).toEqual(before);
  });

  test("stays when it is listed all the same", async () => {
    drop(`backup/main/${labels[1]}`);
    await send(all);
    expect(keys()).toContain(`backup/main/${labels[1]}/backup.manifest`);
  });
});

const emptyContent = {
  bytes: 0,
  sha256: createHash("sha256").digest("hex"),
  open: () => Buffer.alloc(0),
};
