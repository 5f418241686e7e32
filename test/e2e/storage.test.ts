// A database that is full, as its owner meets it: it warns, then takes reads and deletes, and works
// again once there is room.
import { beforeAll, expect, test } from "vitest";
import { call, createProject, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

// The cron measures; it comes every few seconds here.
const looks = 90;
const megabyte = 1024 ** 2;

// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
let database: any;
let url: string;
const fresh = async () => (await call(system, "GET", `/databases/${database.id}`)).body.data;

beforeAll(async () => {
  ({ database } = await createProject(system, { name: "Full" }));
  url = database.database_url;
  await query(url, "create table kept (n int primary key, text text)");
  const fill =
    "insert into kept select n, repeat(md5(n::text), 30) from generate_series(1, 60000) n";
  await query(url, fill);
}, 60_000);

test(
  "takes reads and deletes at its ceiling, and nothing that adds",
  async () => {
    const { storage } = await until(
      "A measure of what it takes",
      fresh,
      (found) => found.storage.used_bytes > 40 * megabyte,
      looks,
    );
    const ceiling = Math.floor(storage.used_bytes / megabyte);
    const { status, text } = await call(system, "PATCH", `/admin/databases/${database.id}/limits`, {
      body: { storage_mb: ceiling, storage_mb_max: ceiling },
    });
    expect(status, text).toBe(200);
    await until("It is full", fresh, (found) => found.storage.state === "full", looks);
    await expect(query(url, "insert into kept values (0, 'x')")).rejects.toThrow();
    await expect(query(url, "create table more as select 1 as n")).rejects.toThrow();
    expect(await query(url, "select count(*)::int as n from kept")).toEqual([{ n: 60_000 }]);
  },
  (2 * looks + 30) * 1000,
);

test(
  "is as before once there is room",
  async () => {
    await query(url, "delete from kept where n > 100");
    await until("It has room", fresh, (found) => found.storage.state !== "full", 2 * looks);
    await query(url, "insert into kept values (0, 'x')");
    expect(await query(url, "select count(*)::int as n from kept")).toEqual([{ n: 101 }]);
  },
  (2 * looks + 30) * 1000,
);
