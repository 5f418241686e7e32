import { and, eq, isNull, lte, or } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import type { OrganizationId } from "../core/id.ts";
import { isWithin } from "../core/network.ts";
import { createFirstOrganization } from "./bootstrap.ts";
import { type KeyLimit, type KeyRow, keyByHash, statusOf } from "./find-key.ts";
import { apiKey } from "./table.ts";

// How old `last_used_at` may be before a call writes it anew.
const usedMilliseconds = 60_000;

/** A call that is to be authenticated. */
export interface Credential {
  /** SHA-256 of the API key, in hex. */
  readonly keyHash: string;
  /** The operator's key of the installation; its first use makes its organization. */
  readonly adminKey: string;
  /** Where the call comes from; null when nobody trustworthy says. */
  readonly address: string | null;
}

/** Who calls, and how often it may: it spends of each of these, its own first. */
export interface Caller {
  readonly actor: Actor;
  readonly limits: readonly KeyLimit[];
}

/** A call that was refused before it was looked at, and whose key it was if that is known. */
export class RefusedCredential extends ApiError {
  readonly row: KeyRow | null;

  constructor(row: KeyRow | null, status: number, code: string, message: string) {
    super(status, code, message);
    this.row = row;
  }
}

/**
 * The hash of the API key in an `Authorization` header.
 * @throws RefusedCredential 401 invalid_token
 */
export async function keyHashIn(header: string | undefined): Promise<string> {
  const [, token] = /^Bearer\s+(msk_[A-Za-z0-9_-]{8,200})$/i.exec(header ?? "") ?? [];
  if (token === undefined) throw refused("Send an API key: `Authorization: Bearer msk_…`.");
  return sha256(token);
}

/** @throws RefusedCredential 401 invalid_token, 403 ADDRESS_NOT_ALLOWED */
export async function authenticate(context: Context, credential: Credential): Promise<Caller> {
  const { keyHash, address } = credential;
  const found = await keyByHash(context, keyHash);
  const { row, ancestors } = found ?? (await bootstrap(context, credential)) ?? nobody;
  const now = context.now();
  if (row === null || statusOf(row, now) !== "active") {
    throw refused("This API key is unknown, expired or revoked.", row);
  }
  refuseAddress(row, address);
  if (row.lastUsedAt === null || now.getTime() - row.lastUsedAt.getTime() >= usedMilliseconds) {
    context.beside(() => noteUse(context, row.id, now));
  }
  const actor = {
    organizationId: row.organizationId as OrganizationId,
    keyId: row.id,
    keyHash,
    keyPrefix: row.keyPrefix,
    workspaceId: row.workspaceId,
    externalUserId: row.externalUserId,
    scopes: row.scopes,
    isAdmin: row.isAdmin,
  };
  return { actor, limits: [{ id: row.id, rateLimitRpm: row.rateLimitRpm }, ...ancestors] };
}

const nobody = { row: null, ancestors: [] };

async function bootstrap(context: Context, { keyHash, adminKey }: Credential) {
  if (keyHash !== (await sha256(adminKey))) return undefined;
  await createFirstOrganization(context, adminKey, keyHash);
  return keyByHash(context, keyHash);
}

function refuseAddress(row: KeyRow, address: string | null): void {
  const { allowedNetworks } = row;
  if (allowedNetworks.length === 0) return;
  if (address !== null && allowedNetworks.some((network) => isWithin(address, network))) return;
  const message = `This API key is not allowed from ${address ?? "an unknown address"}.`;
  throw new RefusedCredential(row, 403, "ADDRESS_NOT_ALLOWED", message);
}

async function noteUse(context: Context, id: string, lastUsedAt: Date): Promise<void> {
  const before = new Date(lastUsedAt.getTime() - usedMilliseconds);
  const isOld = or(isNull(apiKey.lastUsedAt), lte(apiKey.lastUsedAt, before));
  await context.db
    .update(apiKey)
    .set({ lastUsedAt })
    .where(and(eq(apiKey.id, id), isOld));
}

/** SHA-256 of a text, in hex. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refused(message: string, row: KeyRow | null = null): RefusedCredential {
  return new RefusedCredential(row, 401, "invalid_token", message);
}
