import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";
import type { HomePaths } from "./settings.ts";

const Key = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  kid: z.string(),
});

const Secrets = z.strictObject({
  /** Names the host; here because it is made once and kept, like the rest. */
  host_id: z.uuid(),
  /** The operator's API key. */
  admin_key: z.string().startsWith("msk_a_"),
  /** Keys that seal what D1 keeps; the Worker's MIOSA_SEALING_KEYS. */
  sealing_keys: z.strictObject({ current: z.string(), keys: z.record(z.string(), z.string()) }),
  /** The key that signs commands to the host: an Ed25519 JWK with `kid`. */
  host_key: Key.extend({ d: z.string() }),
  /** The key that signs restore certificates; another Ed25519 JWK with `kid`. */
  certificate_key: Key.extend({ d: z.string() }),
});
export type Secrets = z.infer<typeof Secrets>;

function makeKey() {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID() };
}

function makeSecrets(): Secrets {
  return Secrets.parse({
    host_id: randomUUID(),
    admin_key: `msk_a_${randomBytes(32).toString("base64url")}`,
    sealing_keys: { current: "k1", keys: { k1: randomBytes(32).toString("base64") } },
    host_key: makeKey(),
    ...addedLater(),
  });
}

/** What an installation of an earlier version is given: nothing there depends on it. */
function addedLater() {
  return { certificate_key: makeKey() };
}

/** What is missing in the words of an error; null when nothing is. */
function missingIn(file: string): string | null {
  const text = readIfExists(file);
  if (text === undefined) return `${file} is missing`;
  const kept = read(file, text);
  const isLost = (name: string) => !(name in kept) && !(name in addedLater());
  const names = Object.keys(Secrets.shape).filter(isLost);
  return names.length === 0 ? null : `${file} lacks ${names.join(", ")}`;
}

/** @throws Error naming the file when it is no JSON object */
function read(file: string, text: string): object {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    // The parser's own words would repeat a secret.
    throw new Error(`${file} is damaged: it is no JSON object. Put it back from your backup.`);
  }
}

/**
 * Refuses to make new secrets beside what only the former ones open.
 * @throws Error naming what is there and what is missing
 */
export function refuseLostSecrets({ secrets, state, host }: HomePaths): void {
  const missing = missingIn(secrets);
  if (missing === null) return;
  const there = [join(state, "v3"), join(host, "record")].filter((path) => existsSync(path));
  if (there.length === 0) return;
  throw new Error(
    `${missing}, but ${there.join(" and ")} are of an installation whose keys were in ` +
      "it: without them nothing that is sealed there can be opened. Put the file back from your " +
      "backup; to begin anew, move those directories away.",
  );
}

/**
 * The secrets of an installation (file 0600), made at the first call.
 * @throws Error naming the file, and the field that is wrong
 */
export function keepSecrets(file: string): Secrets {
  const text = readIfExists(file);
  const kept = text === undefined ? {} : read(file, text);
  const isNew = Object.keys(kept).length === 0;
  const parsed = Secrets.safeParse(isNew ? makeSecrets() : { ...addedLater(), ...kept });
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
    throw new Error(`${file}: ${fields}: missing or not as it was written. Put the file back.`);
  }
  const secrets = parsed.data;
  if (Object.keys(secrets).every((name) => name in kept)) return secrets;
  writeAtomically(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

/** The half of the host key that the host may know. */
export function publicKey({ host_key }: Secrets): z.infer<typeof Key> {
  const { d: _, ...rest } = host_key;
  return rest;
}
