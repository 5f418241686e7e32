import type { Context as RequestContext } from "hono";
import type { ApiEnv } from "./api.ts";

/**
 * The address a request came from. Cloudflare sets the header and lets nobody else; a local runtime
 * keeps what the sender says, so its launcher says what it listens on instead.
 */
export function addressOf(c: RequestContext<ApiEnv>): string | null {
  return c.env.MIOSA_CLIENT_ADDRESS ?? c.req.header("cf-connecting-ip") ?? null;
}
