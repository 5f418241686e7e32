// Tokens, with which the control plane shows a host who it is.
import { z } from "zod";

/** Names `GET /v1?address=` knows; each needs a token. */
export const HostAddress = z.enum([
  "transaction",
  "session",
  "postgres",
  "transaction-console",
  "session-console",
]);
export type HostAddress = z.infer<typeof HostAddress>;

/** A token is a compact JWS (EdDSA, header `kid`) that lives at most this long. */
export const hostTokenSecondsMax = 60;

const tokenBase = {
  /** The cluster's id. */
  aud: z.uuid(),
  iat: z.int(),
  exp: z.int(),
  /** Unique; a second use is refused. */
  jti: z.string().min(16).max(64),
};

/** Claims of a token: one WebSocket to one address, one command with one body, or one dump. */
export const HostTokenClaims = z.discriminatedUnion("scope", [
  z.object({ ...tokenBase, scope: z.literal("sql"), address: HostAddress }),
  z.object({
    ...tokenBase,
    scope: z.literal("command"),
    /** base64url SHA-256 of the exact body. */
    body_sha256: z.string().length(43),
  }),
  /** One `GET /dumps/:id`, or one `PUT` of at most so many bytes. */
  z.object({
    ...tokenBase,
    scope: z.literal("dump"),
    dump_id: z.uuid(),
    method: z.enum(["GET", "PUT"]),
    bytes_max: z.int().min(0),
  }),
]);
export type HostTokenClaims = z.infer<typeof HostTokenClaims>;
