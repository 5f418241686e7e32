import { eq } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import type { OrganizationId } from "../core/id.ts";
import { createFirstOrganization } from "./bootstrap.ts";
import { apiKey } from "./table.ts";

/**
 * The actor behind an `Authorization` header. `adminKey` is the operator's key of the installation:
 * its first use creates the organization it belongs to.
 * @throws ApiError 401 invalid_token
 */
export async function authenticate(
  context: Context,
  header: string | undefined,
  adminKey: string,
): Promise<Actor> {
  const [, token] = /^Bearer\s+(msk_[A-Za-z0-9_-]{8,200})$/i.exec(header ?? "") ?? [];
  if (token === undefined) {
    throw refused("Send an API key: `Authorization: Bearer msk_…`.");
  }
  const keyHash = await sha256(token);
  const row = (await findKey(context, keyHash)) ?? (await bootstrap(context, keyHash, adminKey));
  const isExpired = row?.expiresAt != null && row.expiresAt <= context.now();
  if (row === undefined || row.status !== "active" || isExpired) {
    throw refused("This API key is unknown, expired or revoked.");
  }
  return {
    organizationId: row.organizationId as OrganizationId,
    keyId: row.id,
    keyPrefix: row.keyPrefix,
    workspaceId: row.workspaceId,
    scopes: row.scopes,
    isAdmin: row.isAdmin,
  };

  async function bootstrap(forContext: Context, hash: string, key: string) {
    if (hash !== (await sha256(key))) return undefined;
    await createFirstOrganization(forContext, key, hash);
    return findKey(forContext, hash);
  }
}

/** SHA-256 of a text, in hex. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function findKey(context: Context, keyHash: string) {
  const [row] = await context.db.select().from(apiKey).where(eq(apiKey.keyHash, keyHash));
  return row;
}

function refused(message: string): ApiError {
  return new ApiError(401, "invalid_token", message);
}
