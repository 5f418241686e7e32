// Three signatures at once, so that receivers written for any of them verify a delivery.
import { base64, fromBase64 } from "../core/id.ts";

/** What is signed: the bytes that are sent, under the id they keep in every retry. */
export interface Signable {
  readonly deliveryId: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

const standardPrefix = "whsec_";
const keyBytesMin = 16;

/**
 * The headers that sign a delivery, with the newest secret first. `X-Miosa-Signature` holds one
 * signature: while a former secret lasts it is that one's, as every receiver has it, and the new
 * one's is beside it. The headers of Standard Webhooks need a secret of that standard's form.
 */
export async function signatureHeaders(
  secrets: readonly [string, ...string[]],
  signable: Signable,
): Promise<Record<string, string>> {
  const [newest] = secrets;
  const eldest = secrets.at(-1) ?? newest;
  const timestamp = String(signable.timestampSeconds);
  const stamped = await Promise.all(
    secrets.map((each) => hexMac(textBytes(each), `${timestamp}.${signable.body}`)),
  );
  const next =
    newest === eldest ? {} : { "x-miosa-signature-next": await bodySignature(newest, signable) };
  return {
    "x-miosa-signature": await bodySignature(eldest, signable),
    ...next,
    "miosa-signature": [`t=${timestamp}`, ...stamped.map((mac) => `v1=${mac}`)].join(","),
    ...(await standardHeaders(secrets, signable)),
  };
}

async function bodySignature(secret: string, { body }: Signable): Promise<string> {
  return `sha256=${await hexMac(textBytes(secret), body)}`;
}

async function standardHeaders(
  secrets: readonly string[],
  { deliveryId, timestampSeconds, body }: Signable,
): Promise<Record<string, string>> {
  const keys = secrets.flatMap((secret) => standardKey(secret) ?? []);
  const text = `${deliveryId}.${timestampSeconds}.${body}`;
  const macs = await Promise.all(keys.map(async (key) => `v1,${base64(await mac(key, text))}`));
  const signature = macs.length === 0 ? {} : { "webhook-signature": macs.join(" ") };
  return {
    "webhook-id": deliveryId,
    "webhook-timestamp": String(timestampSeconds),
    ...signature,
  };
}

/** The key in `whsec_` and base64; null for a secret of another form. */
export function standardKey(secret: string): Uint8Array<ArrayBuffer> | null {
  if (!secret.startsWith(standardPrefix)) return null;
  const text = secret.slice(standardPrefix.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  const key = fromBase64(text);
  return key.length >= keyBytesMin && base64(key) === text ? key : null;
}

async function hexMac(key: Uint8Array<ArrayBuffer>, text: string): Promise<string> {
  const bytes = await mac(key, text);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function mac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, textBytes(text)));
}

function textBytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
