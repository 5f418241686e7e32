// A system that nobody uses: a day of cron runs writes no row; hosts take their backups themselves.
// Once a week each database is proved to be restorable: that, and nothing else, is written.
import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { onCron } from "../../workers/cron.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";
import { hostId } from "../support/seed.ts";

const minutesPerRun = 15;
const dayMinutes = 24 * 60;

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

/** Rows of every table but the one that counts cron runs. */
async function rows(): Promise<Record<string, unknown>> {
  const { results } = await env.DB.prepare(
    "select name from sqlite_master where type = 'table' and name not glob '_cf_*'",
  ).all<{ name: string }>();
  const counts = results.map(async ({ name }) => {
    return [name, await env.DB.prepare(`select count(*) as n from ${name}`).first("n")] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

async function passDay(): Promise<void> {
  for (let minutes = 0; minutes < dayMinutes; minutes += minutesPerRun) {
    api.clock.advance(minutesPerRun * 60);
    await onCron(env, "* * * * *", async () => api.context);
    await runToEnd(api, `host:${hostId}`);
  }
}

it("writes no row in a day", async () => {
  const { body } = await api.call("POST", "/api/v1/projects", {
    body: { name: "Idle", data: { postgres: true } },
  });
  expect(body.data.databases[0].state).toBe("running");
  // On the first day the new database is proved to be restorable, which it is again in a week.
  await passDay();
  const before = await rows();
  for (const _ of ["the second day", "the third day"]) await passDay();
  expect(await rows()).toEqual(before);
});
