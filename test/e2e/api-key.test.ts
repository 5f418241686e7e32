// Keys of a platform's own on the running system: what one does to another, and from where.
import { expect, test } from "vitest";
import { type Answer, call } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const limit = 100;
const concurrency = 20;
const minuteMilliseconds = 60_000;

async function aKey(fields: object): Promise<string> {
  const body = { name: "test", ...fields };
  const answer = await call(system, "POST", "/api-keys", { body });
  expect(answer.status).toBe(201);
  return answer.body.data.key;
}

async function burst(key: string, count: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  let begun = 0;
  const client = async () => {
    while (begun++ < count) answers.push(await call(system, "GET", "/projects?limit=1", { key }));
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return answers;
}

const counted = (answers: readonly Answer[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

test("a burst from one key is stopped at its limit and takes nothing from another", async () => {
  const [noisy, quiet] = [await aKey({ rate_limit_rpm: limit }), await aKey({})];
  const begunAt = performance.now();
  let isOver = false;
  const noise = burst(noisy, limit * 6).finally(() => {
    isOver = true;
  });
  const calm: Answer[] = [];
  while (!isOver && calm.length < 300) {
    calm.push(await call(system, "GET", "/projects?limit=1", { key: quiet }));
  }
  const answers = await noise;
  // The bucket fills again while the burst takes: the more, the slower the machine.
  const minutes = (performance.now() - begunAt) / minuteMilliseconds;
  const [allowed, refused] = [counted(answers, 200), counted(answers, 429)];
  expect(allowed + refused).toBe(answers.length);
  expect(allowed).toBeGreaterThanOrEqual(limit);
  expect(allowed).toBeLessThanOrEqual(limit * (1 + minutes) + 1);
  expect(calm.length).toBeGreaterThan(0);
  expect(counted(calm, 200)).toBe(calm.length);
  const last = answers.find(({ status }) => status === 429);
  expect(last?.headers.get("retry-after")).toMatch(/^([1-9]|[1-5]\d|60)$/);
  expect(last?.headers.get("ratelimit-remaining")).toBe("0");
  expect(calm[0]?.headers.get("ratelimit-limit")).toBe("600");
});

test("a key is bound to the address of the connection, whatever a header says", async () => {
  const [elsewhere, here] = [
    await aKey({ allowed_ips: ["192.0.2.0/24"] }),
    await aKey({ allowed_ips: ["127.0.0.1"] }),
  ];
  for (const name of ["cf-connecting-ip", "x-forwarded-for", "x-real-ip"]) {
    const headers = { [name]: "192.0.2.7" };
    const answer = await call(system, "GET", "/projects", { key: elsewhere, headers });
    expect([answer.status, answer.body.error.code]).toEqual([403, "ADDRESS_NOT_ALLOWED"]);
    expect((await call(system, "GET", "/projects", { key: here, headers })).status).toBe(200);
  }
});

test("the key of dev.json has 60,000 requests a minute", async () => {
  const { headers } = await call(system, "GET", "/projects?limit=1");
  expect(headers.get("ratelimit-limit")).toBe("60000");
});
