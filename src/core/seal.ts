// Envelope encryption: a secret is encrypted with a data key of its own, the data key with a
// versioned key of the installation. Rotation re-wraps the data key and leaves the secret alone.
import { base64url, fromBase64, type IdSource } from "./id.ts";

/** The installation's sealing keys: `current` seals, every listed one opens. */
export interface Keyring {
  readonly current: string;
  readonly keys: ReadonlyMap<string, CryptoKey>;
  /** Made from the same bytes, for signatures alone. */
  readonly signing: ReadonlyMap<string, CryptoKey>;
}

/** A sealed secret: `s1.<key version>.<wrap nonce>.<wrapped data key>.<nonce>.<ciphertext>`. */
export type Sealed = string;

const aes = "AES-GCM";
const nonceBytes = 12;

/**
 * Reads `{"current":"k1","keys":{"k1":"<base64 of 32 bytes>"}}`.
 * @throws Error naming what is wrong, never the key itself.
 */
export async function readKeyring(json: string): Promise<Keyring> {
  const parsed = JSON.parse(json) as { current?: string; keys?: Record<string, string> };
  const keys = new Map<string, CryptoKey>();
  const signing = new Map<string, CryptoKey>();
  for (const [version, text] of Object.entries(parsed.keys ?? {})) {
    const bytes = fromBase64(text);
    if (bytes.length !== 32) throw new Error(`Sealing key ${version} must be 32 bytes of base64.`);
    keys.set(
      version,
      await crypto.subtle.importKey("raw", bytes, aes, false, ["wrapKey", "unwrapKey"]),
    );
    signing.set(version, await signingKey(bytes));
  }
  const current = parsed.current ?? "";
  if (!/^[A-Za-z0-9-]+$/.test(current) || !keys.has(current))
    throw new Error("Sealing keys: `current` must name one of `keys`.");
  return { current, keys, signing };
}

async function signingKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encode("miosa sign") },
    material,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}

/** Seals `secret` for `purpose`, such as `database:<id>:password`; only that purpose opens it. */
export async function seal(
  keyring: Keyring,
  source: IdSource,
  purpose: string,
  secret: string,
): Promise<Sealed> {
  const dataKey = (await crypto.subtle.generateKey({ name: aes, length: 256 }, true, [
    "encrypt",
  ])) as CryptoKey;
  const nonce = bytesOf(source, nonceBytes);
  const ciphertext = await crypto.subtle.encrypt(
    { name: aes, iv: nonce, additionalData: encode(purpose) },
    dataKey,
    encode(secret),
  );
  const wrapped = await wrap(keyring, source, dataKey, purpose);
  return ["s1", wrapped, base64url(nonce), base64url(new Uint8Array(ciphertext))].join(".");
}

/** @throws Error when the key version is unknown, the purpose differs or the text was changed. */
export async function unseal(keyring: Keyring, purpose: string, sealed: Sealed): Promise<string> {
  const { dataKey, nonce, ciphertext } = await open(keyring, purpose, sealed, ["decrypt"]);
  const algorithm = { name: aes, iv: nonce, additionalData: encode(purpose) };
  const secret = await crypto.subtle.decrypt(algorithm, dataKey, ciphertext);
  return new TextDecoder().decode(secret);
}

/** The same secret under the keyring's current key; what is current already comes back as it is. */
export async function reseal(
  keyring: Keyring,
  source: IdSource,
  purpose: string,
  sealed: Sealed,
): Promise<Sealed> {
  if (sealed.split(".")[1] === keyring.current) return sealed;
  const { dataKey } = await open(keyring, purpose, sealed, ["encrypt"]);
  const [, , , , nonce, ciphertext] = sealed.split(".");
  return ["s1", await wrap(keyring, source, dataKey, purpose), nonce, ciphertext].join(".");
}

/** LIKE pattern of the secrets sealed under the keyring's current key. */
export function currentSealPattern({ current }: Keyring): string {
  return `s1.${current}.%`;
}

async function wrap(keyring: Keyring, source: IdSource, dataKey: CryptoKey, purpose: string) {
  const nonce = bytesOf(source, nonceBytes);
  const algorithm = { name: aes, iv: nonce, additionalData: encode(purpose) };
  const key = keyOf(keyring, keyring.current);
  const wrapped = await crypto.subtle.wrapKey("raw", dataKey, key, algorithm);
  return [keyring.current, base64url(nonce), base64url(new Uint8Array(wrapped))].join(".");
}

async function open(
  keyring: Keyring,
  purpose: string,
  sealed: Sealed,
  usages: ("encrypt" | "decrypt")[],
) {
  const [format, version = "", wrapNonce = "", wrapped = "", nonce = "", text = ""] =
    sealed.split(".");
  if (format !== "s1") throw new Error("Not a sealed secret.");
  const dataKey = await crypto.subtle.unwrapKey(
    "raw",
    fromBase64(wrapped),
    keyOf(keyring, version),
    { name: aes, iv: fromBase64(wrapNonce), additionalData: encode(purpose) },
    aes,
    true,
    usages,
  );
  return { dataKey, nonce: fromBase64(nonce), ciphertext: fromBase64(text) };
}

function keyOf(keyring: Keyring, version: string): CryptoKey {
  const key = keyring.keys.get(version);
  if (key === undefined) throw new Error(`Sealing key ${version} is not configured.`);
  return key;
}

function bytesOf(source: IdSource, count: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(source.random(count));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
