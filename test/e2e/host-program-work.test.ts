// What the host program does on command, each once and by the very way of the control plane: that
// all of it is put together.
import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostCommands } from "../../src/contract/instance/command.ts";
import { until } from "../support/client.ts";
import {
  type HostProgram,
  type ProgramDatabase,
  startHostProgram,
} from "../support/host-program.ts";

let host: HostProgram;
let one: ProgramDatabase;
beforeAll(async () => {
  host = await startHostProgram();
  one = await host.create("proj_test_work");
  await query("create table kept (n int primary key)");
  await query("insert into kept values (1)");
});
afterAll(() => host?.stop());

async function query(text: string) {
  const client = await host.connect(one);
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test("it knows every command there is", async () => {
  for (const command of Object.keys(hostCommands)) {
    const answer = await host.send(command as "status", "no input" as never);
    const { error } = (await answer.json()) as { readonly error: { readonly code: string } };
    expect([command, answer.status, error.code]).toEqual([command, 422, "invalid_input"]);
  }
});

test("a database is backed up as soon as it is there, and again when that is asked", async () => {
  const list = () => host.command("base_backups", { database: one.name });
  await until("a first base backup", list, ({ base_backups: all }) => all.length === 1, 60);
  const backup_id = randomUUID();
  // The first one is in the list before all of its work is done.
  const start = { database: one.name, backup_id, type: "incr" as const };
  const statusOf = async () => (await host.send("base_backup.start", start)).status;
  await until("it to begin", statusOf, (status) => status === 200);
  await until(
    "another one",
    () => host.command("base_backup.status", { database: one.name, backup_id }),
    ({ state }) => state === "succeeded",
    60,
  );
  const { problems } = await host.command("backup.problems", {});
  expect(problems).toEqual([]);
});

test("a dropped table comes back in place, and that is undone", async () => {
  const [{ at }] = await query("select clock_timestamp() as at");
  await query("drop table kept");
  const recovery_id = randomUUID();
  const request = { database: one.name, target: { time: new Date(at).toISOString() } };
  await host.command("recovery.start", { recovery_id, request, for: "restore" });
  await until(
    "the recovery",
    () => host.command("recovery.status", { recovery_id }),
    ({ state }) => state === "ready",
    60,
  );
  const { instance } = await host.command("recovery.exchange", { recovery_id });
  expect(await query("select n from kept")).toEqual([{ n: 1 }]);
  const { aside } = await host.command("inventory", {});
  expect(aside).toMatchObject([{ database: one.name, instance }]);
  const undone = await host.command("aside.bring_back", { database: one.name, instance });
  await expect(query("select n from kept")).rejects.toThrow(/does not exist/);
  await host.command("aside.bring_back", { database: one.name, instance: undone.instance });
  expect(await query("select n from kept")).toEqual([{ n: 1 }]);
});

test("a dump is made, and fetched whole", async () => {
  const dump_id = randomUUID();
  await host.command("dump.start", { dump_id, database: one.name });
  const { stored } = await until(
    "the dump",
    () => host.command("dump.status", { dump_id }),
    ({ state }) => state === "succeeded",
    60,
  );
  const archive = await host.download(dump_id);
  expect(archive.subarray(0, 5).toString()).toBe("PGDMP");
  expect(createHash("sha256").update(archive).digest("hex")).toBe(stored?.sha256);
  await host.command("dump.remove", { dump_id });
  expect((await host.command("dumps", {})).dumps).toEqual([]);
});

test("a proof that it can be restored is made", async () => {
  const verification_id = randomUUID();
  const databases = [{ database_id: randomUUID(), database: one.name }];
  await host.command("verification.start", { verification_id, databases });
  const report = await until(
    "the verification",
    () => host.command("verification.status", { verification_id }),
    ({ state }) => state !== "running",
    120,
  );
  expect(report.state).toBe("succeeded");
  const [found] = report.databases;
  expect(found?.checks.map(({ result }) => result)).toEqual(Array(5).fill("passed"));
  await host.command("verification.end", { verification_id });
});

test("its log, its numbers and who is in it are told", async () => {
  await expect(query("select from nowhere_at_all")).rejects.toThrow();
  const wanted = { database: one.name, lines: 100 };
  await until(
    "the error in the log",
    () => host.command("database.logs", wanted),
    ({ lines }) => lines.some(({ message }) => /nowhere_at_all/.test(message)),
  );
  const client = await host.connect(one, "session");
  await client.query("select 1");
  const { sessions } = await host.command("session.list", { database: one.name });
  expect(sessions.map(({ role }) => role)).toContain(one.login);
  await client.end();
  const window = { database: one.name, window_seconds: 3600 };
  await until(
    "numbers",
    () => host.command("database.metrics", window),
    ({ points }) => points.length > 0,
    90,
  );
});
