import { importJWK, SignJWT } from "jose";
import { base64url, type IdSource, newId } from "../core/id.ts";

const lifetimeSeconds = 60;

/** The control plane's private key, which every host program knows the public half of. */
export interface HostKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** @throws Error when the JSON is not a private Ed25519 JWK with a `kid`. */
export async function readHostKey(json: string): Promise<HostKey> {
  const jwk = JSON.parse(json) as { kid?: string; crv?: string };
  if (jwk.kid === undefined || jwk.crv !== "Ed25519") {
    throw new Error("The host key must be a private Ed25519 JWK with a kid.");
  }
  return { kid: jwk.kid, key: (await importJWK(jwk, "EdDSA")) as CryptoKey };
}

/** Lets one command with exactly this body be sent to one host, once, within a minute. */
export async function commandToken(
  source: IdSource,
  hostKey: HostKey,
  hostId: string,
  body: string,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const bodySha256 = base64url(new Uint8Array(digest));
  return sign(source, hostKey, hostId, { scope: "command", body_sha256: bodySha256 });
}

/** Lets one dump be fetched from one host, or so many bytes be sent there as one, once. */
export function dumpToken(
  source: IdSource,
  hostKey: HostKey,
  hostId: string,
  dump: { readonly method: "GET" | "PUT"; readonly dumpId: string; readonly bytesMax: number },
): Promise<string> {
  const { method, dumpId: dump_id, bytesMax: bytes_max } = dump;
  return sign(source, hostKey, hostId, { scope: "dump", method, dump_id, bytes_max });
}

function sign(
  source: IdSource,
  hostKey: HostKey,
  hostId: string,
  claims: Record<string, string | number>,
): Promise<string> {
  const issuedAt = Math.floor(source.now().getTime() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "EdDSA", kid: hostKey.kid })
    .setAudience(hostId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifetimeSeconds)
    .setJti(newId(source))
    .sign(hostKey.key);
}
