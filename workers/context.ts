import { waitUntil } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import type { CertificateKey } from "../src/core/certificate-key.ts";
import type { Context, LogEntry } from "../src/core/context.ts";
import { messageOf } from "../src/core/error.ts";
import type { OutboundPort } from "../src/core/outbound-port.ts";
import type { Keyring } from "../src/core/seal.ts";
import { archivePort } from "../src/host/archive.ts";
import { hostPort } from "../src/host/command.ts";
import type { HostKey } from "../src/host/token.ts";
import { checkInstallation, readSecretsOf } from "./installation.ts";
import type { Lane } from "./lane.ts";
import type { Limiter } from "./limiter.ts";

/** Bindings of `wrangler.toml`, and the secrets an installation sets. */
export interface Env {
  readonly DB: D1Database;
  readonly NUDGE: Queue<Nudge>;
  readonly LANE: DurableObjectNamespace<Lane>;
  readonly LIMITER: DurableObjectNamespace<Limiter>;
  /** The operator's API key, `msk_a_…`. */
  readonly MIOSA_ADMIN_KEY: string;
  /** `{"current":"k1","keys":{"k1":"<base64 of 32 bytes>"}}` */
  readonly MIOSA_SEALING_KEYS: string;
  /** Private Ed25519 JWK with a `kid`; hosts know the public half. */
  readonly MIOSA_HOST_KEY: string;
  /** Private Ed25519 JWK with a `kid`; whoever verifies a certificate knows the public half. */
  readonly MIOSA_CERTIFICATE_KEY: string;
  /** URL of a resolver of DNS over HTTPS that answers in JSON; a public one when absent. */
  readonly MIOSA_RESOLVER_URL?: string;
  /** Development only: opens webhooks to http://127.0.0.1, but for these ports, as `8787,20001`. */
  readonly MIOSA_WEBHOOK_LOOPBACK?: string;
  /** Days an orphan stays before it is stopped; 0 is for ever. 7 when absent. */
  readonly MIOSA_ORPHAN_DAYS?: string;
  /** Databases each host has ready for whoever asks next, at least and at most; 2 and 20. */
  readonly MIOSA_SPARES_MIN?: string;
  readonly MIOSA_SPARES_MAX?: string;
  /** Development only: the address all requests come from, where no header can be believed. */
  readonly MIOSA_CLIENT_ADDRESS?: string;
}

/** A queue message: which lane to look at. */
export interface Nudge {
  readonly lane: string;
}

/** The secrets in the form verbs use. */
export interface Secrets {
  readonly keyring: Keyring;
  readonly hostKey: HostKey;
  readonly certificateKey: CertificateKey;
}

let secrets: Promise<Secrets> | undefined;

/** Reads the secrets once per isolate: they change only with a deployment. @throws Misconfigured */
function readSecrets(env: Env): Promise<Secrets> {
  secrets ??= readSecretsOf(env);
  secrets.catch(() => {
    secrets = undefined;
  });
  return secrets;
}

/** The ports of this isolate. @throws Misconfigured */
export async function createContext(env: Env): Promise<Context> {
  const opened = await readSecrets(env);
  await checkInstallation(env, opened);
  const { keyring, hostKey, certificateKey } = opened;
  const db = drizzle(env.DB);
  const laneOf = (name: string) => env.LANE.getByName(name);
  const access = { hostKey, fetch: fetch.bind(globalThis), now, random };
  return {
    db,
    now,
    random,
    keyring,
    certificateKey,
    orphanDays: Number(env.MIOSA_ORPHAN_DAYS ?? orphanDaysDefault),
    spares: sparesOf(env),
    host: hostPort({ db }, access),
    archives: archivePort({ db }, access),
    outbound: outboundOf(env),
    wake: (lanes) => waitUntil(wakeAll(laneOf, lanes)),
    nudge: async (lane, delaySeconds = 0) => {
      await env.NUDGE.send({ lane }, { delaySeconds });
    },
    drive: async (lane, budgetMilliseconds) => {
      // The queue makes it certain; the delay spares the usual case a second look.
      await env.NUDGE.send({ lane }, { delaySeconds: Math.ceil(budgetMilliseconds / 1000) });
      await within(budgetMilliseconds, laneOf(lane).drive());
    },
    beside: (work) => waitUntil(quietly(work)),
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    log,
  };
}

const orphanDaysDefault = 7;
const sparesDefault = { min: 2, max: 20 };

function sparesOf({ MIOSA_SPARES_MIN, MIOSA_SPARES_MAX }: Env): Context["spares"] {
  const max = Number(MIOSA_SPARES_MAX ?? sparesDefault.max);
  return { min: Math.min(Number(MIOSA_SPARES_MIN ?? sparesDefault.min), max), max };
}

const publicResolver = "https://cloudflare-dns.com/dns-query";

function outboundOf(env: Env): OutboundPort {
  const closed = env.MIOSA_WEBHOOK_LOOPBACK;
  return {
    fetch: (request) => fetch(request),
    resolverUrl: env.MIOSA_RESOLVER_URL || publicResolver,
    loopback: closed ? { closedPorts: new Set(closed.split(",").map(Number)) } : null,
  };
}

// One that is not reached is found by the cron.
async function wakeAll(
  laneOf: (name: string) => DurableObjectStub<Lane>,
  lanes: readonly string[],
) {
  for (const result of await Promise.allSettled(lanes.map((name) => laneOf(name).wake()))) {
    if (result.status === "rejected") {
      log({ level: "warning", message: `A lane was not woken: ${result.reason}` });
    }
  }
}

async function quietly(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log({ level: "warning", message: messageOf(error) });
  }
}

/** The clock of the runtime. */
export const now = () => new Date();

/** Random bytes of the runtime. */
export const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));

/** One JSON line for the operator. */
export function log({ level, message, ...facts }: LogEntry): void {
  const write = level === "error" ? console.error : console.warn;
  write(JSON.stringify({ level, message, ...facts }));
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: number | null = null;
  const timeUp = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([work.catch(() => undefined), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
