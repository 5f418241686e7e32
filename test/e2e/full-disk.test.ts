// A disk that fills up while a recovery works: it fails with words, leaves nothing, and hurts
// nobody; with room again the same recovery succeeds.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestHost, type TestHost } from "../support/host.ts";
import { momentNow, type RecoveringHost, recoveringHost } from "../support/recovering.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };

let host: TestHost;
let it: RecoveringHost;
let oid: number;
let target: string;

beforeAll(async () => {
  host = await startTestHost();
  it = recoveringHost(host);
  await it.makeTenant("proj_ledger", roles);
  oid = await it.oidOf("proj_ledger");
  await run("create table ledger as select generate_series(1, 100) as n");
  await it.baseBackup();
  await run("create table more as select repeat('x', 500) from generate_series(1, 200000)");
  [{ time: target }] = await it.sql("postgres", momentNow);
  await run("drop table more");
  await it.report("recovery_window", {});
}, 120_000);

afterAll(() => host?.stop());

const run = (text: string) =>
  it.asTenant("proj_ledger", roles.login, (client) => client.query(text));

/** Gives scratch hosts a disk of their own, of so many KiB, while something is done. */
async function withDisk<Result>(kibibytes: number, work: () => Promise<Result>): Promise<Result> {
  const scratch = join(host.config.directory, "scratch");
  const options = `size=${kibibytes}k,mode=700,uid=65534,gid=65534`;
  execFileSync("/usr/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", scratch]);
  return work().finally(() => execFileSync("/usr/bin/umount", ["--lazy", scratch]));
}

// Only root has disks to give.
describe.runIf(process.getuid?.() === 0)("a disk that is full", () => {
  test.each([
    ["before all is looked into", 40, "view"],
    ["while the base backup is restored", 12_000, "restore"],
    ["while WAL is replayed", 180_000, "replay"],
  ])("%s is told, and nothing else is harmed", async (_, kibibytes, step) => {
    await withDisk(kibibytes, async () => {
      const { status } = await it.start(target, oid);
      expect(status).toMatchObject({ state: "failed", step });
      expect(status.error).toMatch(/^The disk that holds the host's directory scratch\/ was full/);
      expect(status.error).toContain("Make room on the host's disk, then restore again.");
      expect(status.error).not.toContain(host.config.directory);
      expect(status.passed_over).toEqual([]);
      expect(it.scratchNames()).toEqual([]);
    });
    const { rows } = await run("select count(*)::int as n from ledger");
    expect(rows).toEqual([{ n: 100 }]);
    const { recovery_id, status } = await it.start(target, oid);
    expect(status, `${status.error}`).toMatchObject({ state: "ready", passed_over: [] });
    await it.report("recovery.end", { recovery_id });
    expect(it.scratchNames()).toEqual([]);
  });
});
