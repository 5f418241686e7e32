// A platform in a hurry: many creates at once, each repeated under its own Idempotency-Key until it
// is answered, as the public SDKs do.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, call } from "./client.ts";
import type { RunningSystem } from "./system.ts";

const attemptMilliseconds = 120_000;
const pauseMilliseconds = 250;

/** One create that was answered. */
export interface Created {
  readonly key: string;
  readonly answer: Answer;
  /** How often it was sent. */
  readonly attempts: number;
}

/** How large a burst is, whose it is, and what happens in its middle. */
export interface Burst {
  readonly count: number;
  readonly concurrency: number;
  readonly externalUserId: string;
  /** Called once, when so many creates have been answered. */
  readonly disturbAt: number;
  readonly disturb: () => void;
}

/** Creates `count` projects with Postgres, `concurrency` at a time. */
export async function burst(system: RunningSystem, input: Burst): Promise<Created[]> {
  const created: Created[] = [];
  let begun = 0;
  // The address and the key stay what they are, also while the system is down.
  const dev = system.dev();
  const known = { ...system, dev: () => dev };
  const client = async () => {
    while (begun++ < input.count) {
      created.push(await createPatiently(known, input.externalUserId));
      if (created.length === input.disturbAt) input.disturb();
    }
  };
  await Promise.all(Array.from({ length: input.concurrency }, client));
  return created;
}

/** Sends a create under a key once. */
export function send(system: RunningSystem, key: string, externalUserId: string): Promise<Answer> {
  const body = {
    name: "Smile Dental",
    external_user_id: externalUserId,
    external_project_id: key,
    data: { postgres: true },
  };
  return call(system, "POST", "/projects", { body, headers: { "idempotency-key": key } });
}

async function createPatiently(system: RunningSystem, externalUserId: string): Promise<Created> {
  const key = randomUUID();
  const deadline = performance.now() + attemptMilliseconds;
  for (let attempts = 1; ; attempts++) {
    const answer = await send(system, key, externalUserId).catch((error: Error) => error);
    if (!(answer instanceof Error) && !isWorthRepeating(answer)) return { key, answer, attempts };
    if (performance.now() > deadline) {
      const last = answer instanceof Error ? String(answer.cause ?? answer) : answer.text;
      throw new Error(`A create was never answered in ${attempts} attempts: ${last}`);
    }
    await delay(pauseMilliseconds);
  }
}

function isWorthRepeating({ status, body }: Answer): boolean {
  const isTaken = status === 409 && body?.error?.code === "IDEMPOTENCY_IN_PROGRESS";
  return isTaken || status === 429 || status >= 500;
}
