import { createHash, randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { HostAddress } from "../../src/contract/token.ts";

/** What a test may change about a token; seconds since the epoch. */
export interface TokenChanges {
  readonly kid?: string;
  readonly aud?: string;
  readonly iat?: number;
  readonly exp?: number;
  readonly jti?: string;
}

/** A control plane's key: its public half, and tokens signed with the other. */
export async function createSigner(hostId = "", kid = "key-1") {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519" });
  const { x = "" } = await exportJWK(publicKey);

  async function sign(claims: Record<string, string | number>, changes: TokenChanges = {}) {
    const iat = changes.iat ?? Math.floor(Date.now() / 1000);
    return new SignJWT({ jti: changes.jti ?? randomUUID(), ...claims })
      .setProtectedHeader({ alg: "EdDSA", kid: changes.kid ?? kid })
      .setAudience(changes.aud ?? hostId)
      .setIssuedAt(iat)
      .setExpirationTime(changes.exp ?? iat + 60)
      .sign(privateKey);
  }

  return {
    publicJwk: { kty: "OKP", crv: "Ed25519", x, kid } as const,
    sql: (address: HostAddress, changes?: TokenChanges) => sign({ scope: "sql", address }, changes),
    command: (body: string, changes?: TokenChanges) => {
      const body_sha256 = createHash("sha256").update(body).digest("base64url");
      return sign({ scope: "command", body_sha256 }, changes);
    },
    dump: (method: "GET" | "PUT", dump_id: string, bytes_max: number) =>
      sign({ scope: "dump", method, dump_id, bytes_max }),
  };
}
