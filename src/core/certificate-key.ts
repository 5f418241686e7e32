// The key that signs certificates. Signatures stand for years: who checks one asks nobody.
import { base64url } from "./id.ts";

/** The public half of a key, as it is published. */
export interface PublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly use: "sig";
  readonly alg: "EdDSA";
}

/** The installation's key. */
export interface CertificateKey {
  readonly kid: string;
  readonly publicKey: PublicKey;
  readonly key: CryptoKey;
}

/** @throws Error when the JSON is not a private Ed25519 JWK with a `kid`. */
export async function readCertificateKey(json: string): Promise<CertificateKey> {
  const { kid, crv, x, d } = JSON.parse(json) as Record<string, string | undefined>;
  if (kid === undefined || crv !== "Ed25519" || x === undefined || d === undefined) {
    throw new Error("The certificate key must be a private Ed25519 JWK with a kid.");
  }
  const jwk = { kty: "OKP", crv, x, d };
  const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
  return { kid, publicKey: publicKeyOf({ kid, x }), key };
}

/** What is published of a key. */
export function publicKeyOf({ kid, x }: { readonly kid: string; readonly x: string }): PublicKey {
  return { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" };
}

/** Signs a text; the same text has the same signature. Base64url. */
export async function signText({ key }: CertificateKey, text: string): Promise<string> {
  const bytes = await crypto.subtle.sign("Ed25519", key, new TextEncoder().encode(text));
  return base64url(new Uint8Array(bytes));
}
