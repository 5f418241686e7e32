// A Worker and a D1 that do not belong together: what is wrong is named, and nothing is done.
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readKeyring } from "../../src/core/seal.ts";
import { host } from "../../src/host/table.ts";
import type { Env } from "../../workers/context.ts";
import { inspectInstallation, readSecretsOf } from "../../workers/installation.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const whole = env as unknown as Env;

describe("a secret of the Worker", () => {
  it.each([
    "MIOSA_ADMIN_KEY",
    "MIOSA_SEALING_KEYS",
    "MIOSA_HOST_KEY",
    "MIOSA_CERTIFICATE_KEY",
  ] as const)("%s that is missing is named", async (name) => {
    const without = { ...whole, [name]: undefined } as unknown as Env;
    await expect(readSecretsOf(without)).rejects.toThrow(`secret ${name} is missing`);
  });

  it.each(["MIOSA_SEALING_KEYS", "MIOSA_HOST_KEY", "MIOSA_CERTIFICATE_KEY"] as const)(
    "%s that cannot be read is named, and not told",
    async (name) => {
      for (const text of ['{"d": "sesame"', '"sesame"', '{"kid": "sesame"}']) {
        const read = readSecretsOf({ ...whole, [name]: text });
        await expect(read).rejects.toThrow(`secret ${name} cannot be used`);
        await expect(read).rejects.not.toThrow("sesame");
      }
    },
  );
});

describe("a D1", () => {
  const names = async () =>
    (await env.DB.prepare("select name from d1_migrations order by id").all()).results;
  const check = async () => inspectInstallation(whole, await readSecretsOf(whole));
  const insert = (name: string) =>
    env.DB.prepare("insert into d1_migrations (name) values (?)").bind(name).run();
  const remove = (name: string) =>
    env.DB.prepare("delete from d1_migrations where name = ?").bind(name).run();
  const newer = "9999_of_tomorrow.sql";
  let last: string;
  beforeEach(async () => {
    last = String((await names()).at(-1)?.name);
  });
  afterEach(async () => {
    await remove(newer);
    if (!(await names()).some(({ name }) => name === last)) await insert(last);
  });

  it("that is newer than the Worker is named by what the Worker does not know", async () => {
    await insert(newer);
    await expect(check()).rejects.toThrow(`D1 is newer than this Worker: it has ${newer}`);
  });

  it("that is older than the Worker is named by what it lacks", async () => {
    await remove(last);
    await expect(check()).rejects.toThrow(`D1 is older than this Worker: it lacks ${last}`);
  });

  it("whose secrets the keys do not open is named by the key that is lost", async () => {
    expect((await api.context.db.select().from(host)).map(({ id }) => id)).toEqual([hostId]);
    const other = (key: string) =>
      JSON.stringify({ current: key, keys: { [key]: btoa("o".repeat(32)) } });
    const known = (await readKeyring(String(whole.MIOSA_SEALING_KEYS))).current;
    for (const [key, words] of [
      [known, `its key ${known} is another one`],
      ["k9", `the key ${known}, which D1's secrets are sealed with, is not in it`],
    ] as const) {
      const changed = { ...whole, MIOSA_SEALING_KEYS: other(key) };
      const secrets = await readSecretsOf(changed);
      await expect(inspectInstallation(changed, secrets)).rejects.toThrow(words);
    }
  });
});
