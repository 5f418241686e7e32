// Signatures of the installation: what it hands out and takes back without a row.
import { base64url, fromBase64 } from "./id.ts";
import type { Keyring } from "./seal.ts";

/** Signs `text` for `purpose`: `<key version>.<HMAC-SHA-256>`, for URLs. */
export async function sign(keyring: Keyring, purpose: string, text: string): Promise<string> {
  const { current } = keyring;
  const key = keyring.signing.get(current);
  if (key === undefined) throw new Error(`Sealing key ${current} is not configured.`);
  const bytes = await crypto.subtle.sign("HMAC", key, bytesOf(purpose, text));
  return `${current}.${base64url(new Uint8Array(bytes))}`;
}

/** True for a signature of this installation, of exactly this text and purpose. */
export async function isSigned(
  keyring: Keyring,
  purpose: string,
  text: string,
  signature: string,
): Promise<boolean> {
  const [, version = "", mac = ""] = /^([A-Za-z0-9-]+)\.([\w-]{43})$/.exec(signature) ?? [];
  const key = keyring.signing.get(version);
  if (key === undefined) return false;
  return crypto.subtle.verify("HMAC", key, fromBase64(mac), bytesOf(purpose, text));
}

function bytesOf(purpose: string, text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(`${purpose}\n${text}`));
}
