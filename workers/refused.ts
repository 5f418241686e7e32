// Calls refused for their key, written down: under the organization of a key that is known, under
// the operator's where nobody knows it. The same caller is written down once a minute.
import type { Context as RequestContext } from "hono";
import type { RefusedCredential } from "../src/account/authenticate.ts";
import { operatorOrganization } from "../src/account/organization.ts";
import { createTrail, resourceIn } from "../src/audit/trail.ts";
import type { OrganizationId } from "../src/core/id.ts";
import { addressOf } from "./address.ts";
import type { ApiEnv } from "./api.ts";
import type { FindCall } from "./call.ts";

const againMilliseconds = 60_000;
const callersMax = 10_000;

/** Writes down a call that was refused for its key. */
export function createRefusals(findCall: FindCall) {
  const lastByCaller = new Map<string, number>();

  function isNews(caller: string, now: number): boolean {
    if (now - (lastByCaller.get(caller) ?? 0) < againMilliseconds) return false;
    if (lastByCaller.size >= callersMax) lastByCaller.clear();
    lastByCaller.set(caller, now);
    return true;
  }

  return async (c: RequestContext<ApiEnv>, refused: RefusedCredential): Promise<void> => {
    const { context, requestId } = c.var;
    const { row, status, code } = refused;
    const address = addressOf(c);
    const call = findCall(c.req.method, c.req.path);
    if (call === null) return;
    const caller = `${row?.id ?? ""} ${address} ${code}`;
    if (!isNews(caller, context.now().getTime())) return;
    const ofKey = row?.organizationId as OrganizationId | undefined;
    const organizationId = ofKey ?? (await operatorOrganization(context));
    if (organizationId === null) return;
    const actor = { organizationId, keyId: row?.id ?? "", keyPrefix: row?.keyPrefix ?? "" };
    const trail = createTrail(context, {
      ...{ actor, address, requestId, words: {} },
      action: call.action,
      resource: resourceIn(c.req.path),
    });
    trail.tell({ outcome: { outcome: "refused", status, code } });
    const [entry] = trail.pending();
    if (entry !== undefined) await context.db.batch([entry]);
  };
}
