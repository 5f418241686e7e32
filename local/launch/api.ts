// What the launcher asks of the system it has started, through its public API.
import { setTimeout as delay } from "node:timers/promises";

const lookMilliseconds = 30;
const answerSeconds = 10;

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(answerSeconds * 1000) });
}

/**
 * Resolves when the URL answers 200. Rejects after `seconds` with the last answer, or when
 * `signal` aborts.
 */
export async function waitFor(url: string, seconds: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  let last = "nothing answered";
  for (;;) {
    signal.throwIfAborted();
    try {
      const response = await request(url);
      if (response.ok) return;
      last = `${response.status} ${(await response.text()).slice(0, 300)}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline) {
      throw new Error(`${url} was not ready within ${seconds} s: ${last}`);
    }
    await delay(lookMilliseconds);
  }
}

const aliveMilliseconds = 2000;

/** True when anything at all answers at the URL within two seconds. */
export async function answersAt(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(aliveMilliseconds) });
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** What the control plane has to know of a host. */
export interface Registration {
  readonly id: string;
  readonly name: string;
  readonly host_url: string;
  readonly public_host: string;
  readonly transaction_port: number;
  readonly session_port: number;
  readonly databases_max: number;
  readonly backends_max?: number;
  readonly ca_certificates: string | undefined;
}

/**
 * Adds the host, or tells the control plane where a known one is now.
 */
export async function registerHost(
  apiUrl: string,
  apiKey: string,
  registration: Registration,
): Promise<void> {
  const response = await request(`${apiUrl}/admin/hosts`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(registration),
  });
  const answer = await response.text();
  if (response.ok) return;
  throw new Error(`The host was not registered: ${response.status} ${answer.slice(0, 500)}`);
}
