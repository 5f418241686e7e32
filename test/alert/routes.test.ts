import { eq } from "drizzle-orm";
import { expect, test } from "vitest";
import { openAlerts, raiseAlert, resolveAlerts } from "../../src/alert/raise.ts";
import { alert } from "../../src/alert/table.ts";
import { commit } from "../../src/core/batch.ts";
import { createTestApi } from "../support/api.ts";

const overdue = (subject: string) => ({
  kind: "operation_overdue" as const,
  subject,
  message: "It is late.",
  details: { lane: "project:1" },
});

test("an alert is open once, keeps its age and takes the latest words", async () => {
  const { context, clock } = await createTestApi();
  await commit(context, [raiseAlert(context, overdue("a"))]);
  clock.advance(60);
  await commit(context, [raiseAlert(context, { ...overdue("a"), message: "It is very late." })]);
  const rows = await openAlerts(context, ["operation_overdue"]);
  expect(rows).toHaveLength(1);
  expect(rows[0]?.message).toBe("It is very late.");
  expect(rows[0]?.createdAt.getTime()).toBe(context.now().getTime() - 60_000);
});

test("what was resolved may come again, as an alert of its own", async () => {
  const { context } = await createTestApi();
  const resolve = resolveAlerts(context, "operation_overdue", eq(alert.subject, "a"));
  await commit(context, [raiseAlert(context, overdue("a")), raiseAlert(context, overdue("b"))]);
  await commit(context, [resolve]);
  await commit(context, [raiseAlert(context, overdue("a"))]);
  const rows = await openAlerts(context, ["operation_overdue"]);
  expect(rows.map(({ subject }) => subject)).toEqual(["b", "a"]);
});

test("an operator sees open alerts, and resolved ones when asked, page by page", async () => {
  const { context, call } = await createTestApi();
  const subjects = ["a", "b", "c"];
  await commit(context, [...subjects.map((subject) => raiseAlert(context, overdue(subject)))]);
  await commit(context, [resolveAlerts(context, "operation_overdue", eq(alert.subject, "b"))]);
  const list = async (query: string) => {
    const { body } = await call("GET", `/api/v1/admin/alerts${query}`);
    return { ...body, subjects: body.data.map((each: { subject: string }) => each.subject) };
  };
  expect((await list("")).subjects).toEqual(["c", "a"]);
  expect((await list("?state=resolved")).subjects).toEqual(["b"]);
  expect((await list("?state=all&kind=orphan")).total).toBe(0);
  const first = await list("?state=all&limit=2");
  expect([first.subjects, first.total]).toEqual([["c", "b"], 3]);
  expect((await list(`?state=all&limit=2&cursor=${first.next_cursor}`)).subjects).toEqual(["a"]);
  expect(first.data[0]).toMatchObject({ state: "open", resolved_at: null, message: "It is late." });
});

test("alerts are for the operator alone, and a wrong filter is named", async () => {
  const { call, addKey } = await createTestApi();
  const path = "/api/v1/admin/alerts";
  expect((await call("GET", path, { key: await addKey(["*"]) })).status).toBe(403);
  expect((await call("GET", path, { key: null })).status).toBe(401);
  const { status, body } = await call("GET", `${path}?state=half`);
  expect([status, Object.keys(body.errors)]).toEqual([422, ["state"]]);
});
