// Whether this Worker and its D1 belong together: secrets that are there and can be read, a schema
// this version knows, and keys that open what D1 holds. What is wrong is named, and nothing is
// done.
import { drizzle } from "drizzle-orm/d1";
import journal from "../migrations/meta/_journal.json" with { type: "json" };
import { readCertificateKey } from "../src/core/certificate-key.ts";
import { type Keyring, readKeyring, unseal } from "../src/core/seal.ts";
import { sealedSamples } from "../src/host/reseal.ts";
import { readHostKey } from "../src/host/token.ts";
import type { Env, Secrets } from "./context.ts";

/** Something an operator has to set right; the words name it and never hold a secret. */
export class Misconfigured extends Error {
  override readonly name = "Misconfigured";
}

const readers = {
  MIOSA_SEALING_KEYS: readKeyring,
  MIOSA_HOST_KEY: readHostKey,
  MIOSA_CERTIFICATE_KEY: readCertificateKey,
} as const;
type SecretName = keyof typeof readers;

async function readSecret<Name extends SecretName>(env: Env, name: Name) {
  const text = env[name] as string | undefined;
  if (text === undefined || text === "") {
    throw new Misconfigured(`The Worker's secret ${name} is missing: wrangler secret put ${name}.`);
  }
  try {
    return (await readers[name](text)) as Awaited<ReturnType<(typeof readers)[Name]>>;
  } catch (error) {
    // A parser's own words quote the text.
    const isOurs = error instanceof Error && !(error instanceof SyntaxError);
    const reason = isOurs ? error.message : "It is not valid JSON.";
    throw new Misconfigured(`The Worker's secret ${name} cannot be used. ${reason}`);
  }
}

/** The secrets in the form verbs use. @throws Misconfigured naming the one that is wrong */
export async function readSecretsOf(env: Env): Promise<Secrets> {
  const adminKey = env.MIOSA_ADMIN_KEY as string | undefined;
  if (adminKey === undefined || !adminKey.startsWith("msk_")) {
    const remedy = "set it to msk_a_ and 43 random characters";
    throw new Misconfigured(`The Worker's secret MIOSA_ADMIN_KEY is missing: ${remedy}.`);
  }
  return {
    keyring: await readSecret(env, "MIOSA_SEALING_KEYS"),
    hostKey: await readSecret(env, "MIOSA_HOST_KEY"),
    certificateKey: await readSecret(env, "MIOSA_CERTIFICATE_KEY"),
  };
}

const knownMigrations = journal.entries.map(({ tag }) => `${tag}.sql`);

/** @throws Misconfigured for a D1 that is newer or older than this Worker */
async function checkSchema(env: Env): Promise<void> {
  const { results } = await env.DB.prepare("select name from d1_migrations").all<{
    name: string;
  }>();
  const applied = new Set(results.map(({ name }) => name));
  const unknown = [...applied].filter((name) => !knownMigrations.includes(name));
  if (unknown.length > 0) {
    throw new Misconfigured(
      `D1 is newer than this Worker: it has ${unknown.join(", ")}. Deploy the newer Worker again.`,
    );
  }
  const missing = knownMigrations.filter((name) => !applied.has(name));
  if (missing.length === 0) return;
  throw new Misconfigured(
    `D1 is older than this Worker: it lacks ${missing.join(", ")}. Apply the migrations: ` +
      "wrangler d1 migrations apply miosa --remote.",
  );
}

/** @throws Misconfigured when the keys do not open what D1 holds */
async function checkSeals(env: Env, { keyring }: Secrets): Promise<void> {
  for (const { purpose, sealed } of await sealedSamples({ db: drizzle(env.DB) })) {
    const isOpened = await unseal(keyring, purpose, sealed).then(
      () => true,
      () => false,
    );
    if (!isOpened) throw lostKey(keyring, sealed);
  }
}

function lostKey({ keys }: Keyring, sealed: string): Misconfigured {
  const [, version = ""] = sealed.split(".");
  const what = keys.has(version)
    ? `its key ${version} is another one than D1's secrets were sealed with`
    : `the key ${version}, which D1's secrets are sealed with, is not in it`;
  const remedy = "Put the lost key back among `keys`.";
  return new Misconfigured(`MIOSA_SEALING_KEYS: ${what}. ${remedy}`);
}

/** @throws Misconfigured naming what does not fit together */
export async function inspectInstallation(env: Env, secrets: Secrets): Promise<void> {
  await checkSchema(env);
  await checkSeals(env, secrets);
}

let checked: Promise<void> | undefined;

/** The same, once per isolate; what was wrong is looked at anew. */
export function checkInstallation(env: Env, secrets: Secrets): Promise<void> {
  checked ??= inspectInstallation(env, secrets);
  checked.catch(() => {
    checked = undefined;
  });
  return checked;
}
