import { sha256 } from "../account/authenticate.ts";
import type { AuditRow } from "./table.ts";

/** What the first entry of an organization is linked to. */
export const genesis = "0".repeat(64);

/**
 * SHA-256 in hex of the hash before, a line break, and everything the entry says: in this order, as
 * one array of JSON. Whoever can list the entries can work it out.
 */
export function hashOf(previousHash: string, row: AuditRow): Promise<string> {
  const { id, organizationId, actorId, actorPrefix, address, action } = row;
  const { resourceType, resourceId, before, after, requestId, createdAt } = row;
  const who = [id, organizationId, actorId, actorPrefix, address];
  const what = [action, resourceType, resourceId, before, after];
  const said = JSON.stringify([...who, ...what, requestId, createdAt.toISOString()]);
  return sha256(`${previousHash}\n${said}`);
}
