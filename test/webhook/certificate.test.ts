// A receiver that changes its certificate: what cannot be trusted is a failed attempt that says
// nothing to it, and the next one finds whatever it has by then.
import { expect, inject, test } from "vitest";
import { type Outcome, send } from "../../src/webhook/send.ts";
import { createTestApi } from "../support/api.ts";

const { url, control } = inject("tlsReceiver");

async function useCertificate(name: string): Promise<number> {
  const response = await fetch(`${control}/${encodeURIComponent(name)}`, { method: "PUT" });
  expect(response.status).toBe(200);
  return Number(await response.text());
}

async function attempt(): Promise<Outcome> {
  const { context } = await createTestApi();
  const outbound = { ...context.outbound, fetch: (request: Request) => fetch(request) };
  const parcel = {
    deliveryId: crypto.randomUUID(),
    eventType: "database.running",
    body: "{}",
    headers: {},
    secrets: ["a secret of sixteen bytes"],
  } as const;
  return send({ ...context, outbound }, { kind: "open", url }, parcel);
}

test("a receiver may have a new certificate for each delivery", async () => {
  for (const name of ["first", "second", "first"]) {
    await useCertificate(name);
    expect(await attempt()).toMatchObject({ problem: null, status: 204 });
  }
});

test.each(["stranger", "other name"])(
  "a certificate (%s) that cannot be trusted fails the attempt unheard, not the next one",
  async (name) => {
    const before = await useCertificate(name);
    const { problem, status } = await attempt();
    expect({ problem, status }).toEqual({
      problem: expect.stringMatching(/could not be reached/),
      status: null,
    });
    expect(await useCertificate("first")).toBe(before);
    expect(await attempt()).toMatchObject({ problem: null, status: 204 });
  },
);
