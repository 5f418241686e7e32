// The Context of a verb test: the real D1 of the Workers pool, everything else set by the test.
import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { readCertificateKey } from "../../src/core/certificate-key.ts";
import type { Context, LogEntry } from "../../src/core/context.ts";
import { messageOf } from "../../src/core/error.ts";
import { base64 } from "../../src/core/id.ts";
import { readKeyring } from "../../src/core/seal.ts";
import { type CrashPoint, createFuse, fusedD1, fusedPort } from "./crash.ts";
import { fakeArchives } from "./fake-archive.ts";
import { createFakeHost } from "./fake-host.ts";
import { createFakeInternet } from "./fake-internet.ts";
import { createClock, createRandom } from "./source.ts";

/** A keyring whose last key is the current one; the same version is the same key. */
export function keyringOf(...versions: [string, ...string[]]) {
  const seed = (text: string) => [...text].reduce((sum, it) => sum * 31 + it.charCodeAt(0), 7);
  const keyOf = (version: string) => base64(createRandom(seed(version))(32));
  const keys = Object.fromEntries(versions.map((version) => [version, keyOf(version)]));
  return readKeyring(JSON.stringify({ current: versions.at(-1), keys }));
}

/**
 * A context over empty tables with its instruments: clock, host, and what was nudged and logged.
 * The same calls give the same ids and names every time.
 */
export async function createTestContext() {
  await emptyTables();
  const clock = createClock();
  const host = createFakeHost();
  const random = createRandom(1);
  const nudges: string[] = [];
  const woken: string[] = [];
  const beside: Promise<void>[] = [];
  const internet = createFakeInternet();
  const log: LogEntry[] = [];
  const keyring = await keyringOf("k1");
  const certificateKey = await readCertificateKey(env.MIOSA_CERTIFICATE_KEY);
  const nudge = async (lane: string) => {
    nudges.push(lane);
  };

  /** A runner over the same rows and the same host, that dies at `point`. */
  function createRunner(point: CrashPoint | null) {
    const { perform, hasCrashed } = createFuse(point);
    const context: Context = {
      db: drizzle(fusedD1(env.DB, perform)),
      now: clock.now,
      random,
      keyring,
      certificateKey,
      orphanDays: 7,
      // Tests of spares have theirs.
      spares: { min: 0, max: 0 },
      host: fusedPort(host.port, perform),
      archives: fakeArchives(host.things),
      outbound: internet.port,
      wake: (lanes) => {
        woken.push(...lanes);
      },
      nudge,
      drive: nudge,
      // Nobody waits in a test: the clock moves instead.
      pause: async (milliseconds) => {
        clock.advanceTo(new Date(clock.now().getTime() + milliseconds));
      },
      beside: (work) => {
        const quietly = work().catch((error: unknown) => {
          log.push({ level: "warning", message: messageOf(error) });
        });
        beside.push(quietly);
      },
      log: (entry) => {
        log.push(entry);
      },
    };
    return { context, hasCrashed };
  }

  const { context } = createRunner(null);
  /** Resolves when nothing is done beside requests any more. */
  const settled = () => Promise.all(beside);
  return { context, clock, host, internet, nudges, woken, log, settled, createRunner };
}
export type TestContext = Awaited<ReturnType<typeof createTestContext>>;

let known: Promise<string[]> | undefined;

/** The names of the tables of D1, without SQLite's and the platform's own. */
export function tableNames(): Promise<string[]> {
  known ??= readTableNames();
  return known;
}

async function readTableNames(): Promise<string[]> {
  const { results } = await env.DB.prepare(
    `select name from sqlite_master where type = 'table'
     and name not like 'sqlite%' and name not like '\\_cf%' escape '\\'
     and name != 'd1_migrations'`,
  ).all<{ name: string }>();
  return results.map(({ name }) => name);
}

async function emptyTables(): Promise<void> {
  const names = await tableNames();
  const { results: triggers } = await env.DB.prepare(
    "select name, sql from sqlite_master where type = 'trigger'",
  ).all<{ name: string; sql: string }>();
  // What refuses to be deleted is lifted meanwhile.
  const statements = [
    "pragma defer_foreign_keys = on",
    ...triggers.map(({ name }) => `drop trigger ${name}`),
    ...names.map((it) => `delete from ${it}`),
    ...triggers.map(({ sql }) => sql),
  ];
  await env.DB.batch(statements.map((text) => env.DB.prepare(text)));
}
