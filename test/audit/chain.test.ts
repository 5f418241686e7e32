import { env } from "cloudflare:workers";
import { asc, eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { genesis, hashOf } from "../../src/audit/hash.ts";
import { purgeEntries } from "../../src/audit/keep.ts";
import { nudgeSealers, organizationIn, sealEntries, sealLane } from "../../src/audit/seal.ts";
import { auditEntry } from "../../src/audit/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let organizationId: string;
beforeEach(async () => {
  api = await createTestApi();
  ({ organizationId } = api.actor);
});

const rename = (name: string, key?: string) =>
  api.call("POST", "/api/v1/workspaces", {
    body: { name, allow_duplicate_name: true },
    ...(key === undefined ? {} : { key }),
  });

async function renameTimes(times: number) {
  for (let n = 0; n < times; n++) await rename(`Workspace ${n}`);
}

const seal = () => sealEntries(api.context, organizationId);
const entries = () => api.context.db.select().from(auditEntry).orderBy(asc(auditEntry.seq));
const verify = async (cursor?: string) => {
  const query = cursor === undefined ? "" : `?cursor=${cursor}`;
  return (await api.call("GET", `/api/v1/audit-log/verify${query}`)).body;
};

/** What somebody could do who writes to the database by hand. */
async function byHand(sql: string) {
  const names = ["is_added_open", "is_kept", "is_sealed_once"].map((it) => `audit_entry_${it}`);
  const { results } = await env.DB.prepare(
    "select name, sql from sqlite_master where type = 'trigger' and name like 'audit%'",
  ).all<{ name: string; sql: string }>();
  expect(results.map(({ name }) => name).sort()).toEqual(names);
  const lifted = names.map((name) => env.DB.prepare(`drop trigger ${name}`));
  const back = results.map((trigger) => env.DB.prepare(trigger.sql));
  await env.DB.batch([...lifted, env.DB.prepare(sql), ...back]);
}

describe("the links of the audit log", () => {
  it("follow the order of commits, each from the one before it", async () => {
    await renameTimes(3);
    expect((await entries()).map(({ hash }) => hash)).toEqual([null, null, null]);
    await seal();
    const rows = await entries();
    let previous = genesis;
    for (const row of rows) {
      expect(row.previousHash).toBe(previous);
      expect(row.hash).toBe(await hashOf(previous, row));
      previous = row.hash ?? "";
    }
    expect(await verify()).toMatchObject({
      data: { holds: true, is_complete: true, checked: 3, unsealed: 0 },
      next_cursor: null,
    });
  });

  it("are one chain though requests come at once and two link them at once", async () => {
    await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        await rename(`Workspace ${n}`);
        if (n % 3 === 0) await seal();
      }),
    );
    await Promise.all([seal(), seal(), seal()]);
    const { data } = await verify();
    expect(data).toMatchObject({ holds: true, checked: 30, unsealed: 0, broken: null });
    const hashes = (await entries()).map(({ hash }) => hash);
    expect(new Set(hashes).size).toBe(30);
  });

  it("are one chain of each organization", async () => {
    const stranger = await api.addStranger();
    await rename("Mine");
    await rename("Theirs", stranger);
    await rename("Mine too");
    const [, theirs] = await entries();
    await seal();
    await sealEntries(api.context, theirs?.organizationId ?? "");
    const rows = await entries();
    expect(rows.map(({ previousHash }) => previousHash === genesis)).toEqual([true, true, false]);
    expect((await verify()).data).toMatchObject({ holds: true, checked: 2 });
  });

  it("are made within a second of a request, or by the cron", async () => {
    await rename("Mine");
    expect(api.nudges).toContain(sealLane(organizationId));
    expect(organizationIn(sealLane(organizationId))).toBe(organizationId);
    api.nudges.length = 0;
    await nudgeSealers(api.context);
    expect(api.nudges).toEqual([]);
    api.clock.advance(6);
    await nudgeSealers(api.context);
    expect(api.nudges).toEqual([sealLane(organizationId)]);
    await seal();
    api.nudges.length = 0;
    await nudgeSealers(api.context);
    expect(api.nudges).toEqual([]);
  });

  it("that are still to be made are told apart from broken ones", async () => {
    await renameTimes(2);
    await seal();
    await rename("New");
    const rows = await entries();
    expect((await verify()).data).toMatchObject({
      holds: true,
      checked: 2,
      unsealed: 1,
      up_to: { id: rows[1]?.id, hash: rows[1]?.hash },
    });
  });

  it("are walked in parts of ten thousand", async () => {
    await rename("The first");
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < 10400)
       insert into audit_entry (id, organization_id, actor_id, actor_prefix, action, request_id,
         created_at)
       select 'made-' || i, '${organizationId}', 'k', 'msk_', 'made', 'r', 1767225600000 from n`,
    ).run();
    await seal();
    const first = await verify();
    expect(first.data).toMatchObject({ holds: true, is_complete: false, checked: 10_000 });
    const second = await verify(first.next_cursor);
    expect(second).toMatchObject({
      data: { holds: true, is_complete: true, checked: 401 },
      next_cursor: null,
    });
  });
});

describe("a log that was tampered with", () => {
  const changes = [
    ["what an entry says", "set action = 'databases.get' where seq = SEQ", /was changed/, 2],
    ["who an entry names", "set actor_id = 'nobody' where seq = SEQ", /was changed/, 2],
    ["when an entry was", "set created_at = created_at + 1 where seq = SEQ", /was changed/, 2],
    ["whose an entry is", "set organization_id = 'other' where seq = SEQ", /taken away/, 3],
    ["an entry's link", "set previous_hash = 'x' where seq = SEQ", /not linked to/, 2],
    ["an entry's hash", "set hash = 'x' where seq = SEQ", /was changed/, 2],
    ["that an entry is linked", "set hash = null where seq = SEQ", /not linked, but/, 2],
  ] as const;

  it.each(changes)("in %s is found, and where", async (_, change, reason, at) => {
    await renameTimes(5);
    await seal();
    const rows = await entries();
    await byHand(`update audit_entry ${change.replace("SEQ", String(rows[2]?.seq))}`);
    const { data } = await verify();
    expect(data).toMatchObject({ holds: false, is_complete: true, up_to: { id: rows[1]?.id } });
    expect(data.broken).toMatchObject({ id: rows[at]?.id, reason: expect.stringMatching(reason) });
  });

  it("by taking an entry away from its middle or its beginning is found", async () => {
    await renameTimes(5);
    await seal();
    const rows = await entries();
    await byHand(`delete from audit_entry where seq = ${rows[3]?.seq}`);
    expect((await verify()).data.broken.id).toBe(rows[4]?.id);
    await byHand(`delete from audit_entry where seq = ${rows[0]?.seq}`);
    expect((await verify()).data.broken).toMatchObject({
      id: rows[1]?.id,
      reason: "Entries before it were taken away.",
    });
  });

  it("by adding an entry between others is found", async () => {
    await renameTimes(2);
    const stranger = await api.addStranger();
    await rename("Theirs", stranger);
    await renameTimes(1);
    const [, , theirs, last] = await entries();
    await seal();
    await byHand(
      `update audit_entry set organization_id = '${organizationId}' where seq = ${theirs?.seq}`,
    );
    expect((await verify()).data.broken.id).toBe(theirs?.id);
    await seal();
    expect((await verify()).data.holds).toBe(false);
    expect(last).toBeDefined();
  });
});

describe("an entry", () => {
  const refused = [
    ["changed once it is linked", "update audit_entry set address = '::1'", true],
    ["changed while it is not linked", "update audit_entry set address = '::1'", false],
    ["changed with its link", "update audit_entry set address = '', hash = '1'", false],
    ["linked by half", "update audit_entry set hash = '1'", false],
    ["linked anew", "update audit_entry set hash = '1', previous_hash = '2'", true],
    ["taken away", "delete from audit_entry", true],
    ["taken away before it is linked", "delete from audit_entry", false],
    ["replaced", "insert or replace into audit_entry select * from audit_entry", false],
    [
      "added with a link of its own",
      `insert into audit_entry (id, organization_id, actor_id, actor_prefix, action, request_id,
       created_at, hash) values ('a', 'a', 'a', 'a', 'a', 'a', 1, 'a')`,
      true,
    ],
  ] as const;

  it.each(refused)("cannot be %s", async (_, sql, isSealed) => {
    await renameTimes(2);
    if (isSealed) await seal();
    const before = await entries();
    await expect(env.DB.prepare(sql).run()).rejects.toThrow(/append-only/);
    expect(await entries()).toEqual(before);
  });

  it("goes after 400 days, but for the last such, and the links still hold", async () => {
    const { db } = api.context;
    await renameTimes(4);
    await seal();
    const rows = await entries();
    const old = new Date(Date.now() - 500 * 86_400_000);
    // A log of two years, as if it had been written then.
    await byHand(`update audit_entry set hash = null, previous_hash = null,
      created_at = ${old.getTime()} where seq <= ${rows[2]?.seq}`);
    await byHand(`update audit_entry set hash = null, previous_hash = null,
      created_at = ${Date.now()} where seq = ${rows[3]?.seq}`);
    await seal();
    api.clock.advanceTo(new Date());
    expect((await verify()).data).toMatchObject({ holds: true, checked: 4 });
    await purgeEntries(api.context);
    expect((await entries()).map(({ id }) => id)).toEqual([rows[2]?.id, rows[3]?.id]);
    expect((await verify()).data).toMatchObject({ holds: true, checked: 2 });
    await byHand(`delete from audit_entry where seq = ${rows[2]?.seq}`);
    expect((await verify()).data.holds).toBe(false);
    expect(
      await db
        .select()
        .from(auditEntry)
        .where(eq(auditEntry.id, rows[3]?.id ?? "")),
    ).toHaveLength(1);
  });
});
