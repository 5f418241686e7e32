import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
/** When the database came to be. */
let created: number;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
  created = api.clock.now().getTime();
  api.clock.advanceTo(new Date(created + 3_600_000));
  const span = (from: number, to: number) => ({ from: second(from), to: second(to) });
  api.host.things.spans = [span(-60, 600), span(1200, 3600)];
});

/** So many seconds after the database came to be. */
const second = (seconds: number) => new Date(created + seconds * 1000).toISOString();

const restore = (target_time: string) =>
  api.call("POST", `${path}/restores`, { body: { target_time, name: "rescue" } });

async function begun(): Promise<number> {
  return (await api.call("GET", `${path}/restores`)).body.data.length;
}

it("shows each gap of the window", async () => {
  const { body } = await api.call("GET", `${path}/recovery-window`);
  expect(body.data).toMatchObject({
    latest: second(3600),
    gaps: [{ from: second(600), to: second(1200) }],
  });
});

it("a target in a gap is 422, names the gap, and begins nothing", async () => {
  const { status, body } = await restore(second(900));
  expect(status).toBe(422);
  expect(body.error.code).toBe("TARGET_OUTSIDE_WINDOW");
  expect(body.error.message).toContain(`from ${second(600)} to ${second(1200)}`);
  expect(body.error.details.gap).toEqual({ from: second(600), to: second(1200) });
  expect(await begun()).toBe(0);
});

it.each([
  ["before the database was", -30],
  ["in the future", 7200],
])("a target %s is 422 with both ends and no gap, and begins nothing", async (_, seconds) => {
  const { status, body } = await restore(second(seconds));
  expect(status).toBe(422);
  expect(body.error.details).toMatchObject({ latest: second(3600), gap: null });
  expect(Date.parse(body.error.details.earliest)).toBeGreaterThanOrEqual(created - 1000);
  expect(await begun()).toBe(0);
});

it("a target at either edge of a gap begins", async () => {
  expect((await restore(second(600))).status).toBe(201);
  const other = { target_time: second(1200), name: "another" };
  expect((await api.call("POST", `${path}/restores`, { body: other })).status).toBe(201);
  expect(await begun()).toBe(2);
});
