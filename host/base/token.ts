// Tokens of the control plane: signed with its Ed25519 key, for this host, for one use.
import { createHash } from "node:crypto";
import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import {
  type HostAddress,
  HostTokenClaims,
  hostTokenSecondsMax,
} from "../../src/contract/token.ts";
import type { ControlKey } from "./config.ts";
import { HostProblem } from "./problem.ts";

/** How far the clocks of control plane and host may differ. */
const skewSeconds = 5;
const rememberedMax = 200_000;

/** Checks tokens and remembers which were used. */
export interface TokenGate {
  /** Rejects with 401 unless the token opens this address now, for the first time. */
  admitSql(token: string, address: HostAddress): Promise<void>;
  /**
   * Rejects with 401 unless the token is for a command, for the first time; what it returns throws
   * 401 unless the token is for exactly this body.
   */
  admitCommand(token: string): Promise<(body: Buffer) => void>;
  /** Rejects with 401 unless the token is for this dump; the most bytes that may be sent. */
  admitDump(token: string, method: "GET" | "PUT", id: string): Promise<number>;
}

export interface TokenGateOptions {
  readonly clusterId: string;
  readonly keys: readonly ControlKey[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

function refuse(message: string): HostProblem {
  return new HostProblem(401, "invalid_token", message);
}

/** What `jose` found wrong, as a sentence that says what to sign instead. */
function explain(error: unknown): HostProblem {
  if (error instanceof errors.JWTExpired) return refuse("The token has expired: sign a new one.");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refuse(`The token's claim ${error.claim} is not acceptable to this host.`);
  }
  if (error instanceof errors.JOSEError) {
    return refuse("The token is not signed (EdDSA) with a key this host knows.");
  }
  throw error;
}

/** Remembers used tokens until they expire. Those signed before its making may have been used. */
function createMemory(now: () => number) {
  const startedAtSeconds = Math.floor(now() / 1000);
  const usedUntil = new Map<string, number>();

  return function useOnce({ jti, iat, exp }: HostTokenClaims): void {
    if (exp - iat > hostTokenSecondsMax) {
      throw refuse(`The token lives too long: exp may be ${hostTokenSecondsMax} s after iat.`);
    }
    if (iat < startedAtSeconds) {
      throw refuse("The token was signed before this host program started: sign a new one.");
    }
    for (const [used, until] of usedUntil) {
      if (until * 1000 >= now()) break;
      usedUntil.delete(used);
    }
    if (usedUntil.has(jti)) throw refuse("The token was used before: sign a new one each time.");
    if (usedUntil.size >= rememberedMax) {
      throw new HostProblem(503, "too_many_tokens", "Too many tokens a minute: slow down.");
    }
    usedUntil.set(jti, exp + skewSeconds);
  };
}

/** Makes the gate of one cluster. */
export function createTokenGate({ clusterId, keys, now }: TokenGateOptions): TokenGate {
  // The key set keeps each key imported, so that a check costs one signature verification.
  const keySet = createLocalJWKSet({
    keys: keys.map(({ kty, crv, x, kid }) => ({ kty, crv, x, kid })),
  });
  const useOnce = createMemory(now);

  async function verify(token: string): Promise<JWTPayload> {
    const options = {
      audience: clusterId,
      algorithms: ["EdDSA"],
      clockTolerance: skewSeconds,
      maxTokenAge: hostTokenSecondsMax,
      currentDate: new Date(now()),
    };
    const { payload, protectedHeader } = await jwtVerify(token, keySet, options).catch((error) => {
      throw explain(error);
    });
    if (protectedHeader.kid === undefined) throw refuse("The token's header names no kid.");
    return payload;
  }

  async function admit(token: string): Promise<HostTokenClaims> {
    const claims = HostTokenClaims.safeParse(await verify(token));
    if (!claims.success) throw refuse("The token lacks a claim, or one has the wrong form.");
    useOnce(claims.data);
    return claims.data;
  }

  return {
    async admitSql(token, address) {
      const claims = await admit(token);
      if (claims.scope !== "sql" || claims.address !== address) {
        throw refuse(`The token is not for SQL to ${address}.`);
      }
    },
    async admitCommand(token) {
      const claims = await admit(token);
      if (claims.scope !== "command") throw refuse("The token is not for a command.");
      return (body) => {
        const digest = createHash("sha256").update(body).digest("base64url");
        if (claims.body_sha256 === digest) return;
        throw refuse("The token is not for a command with this body.");
      };
    },
    async admitDump(token, method, id) {
      const claims = await admit(token);
      if (claims.scope !== "dump" || claims.method !== method || claims.dump_id !== id) {
        throw refuse(`The token is not for ${method} of the dump ${id}.`);
      }
      return claims.bytes_max;
    },
  };
}
