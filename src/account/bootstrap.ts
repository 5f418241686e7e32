import { and, eq, isNull } from "drizzle-orm";
import { commit, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { apiKey, organization, workspace } from "./table.ts";

const projectsMax = 100_000;
const rateLimitRpm = 60_000;

/** The organization of the operator's key, with its default workspace. Done once; races agree. */
export async function createFirstOrganization(context: Context, key: string, keyHash: string) {
  const now = context.now();
  const times = { createdAt: now, updatedAt: now };
  const [organizationId, workspaceId] = [newId(context), newId(context)];
  try {
    await commit(context, [
      context.db
        .insert(organization)
        .values({ id: organizationId, name: "Default", slug: "default", projectsMax, ...times }),
      context.db.insert(workspace).values({
        id: workspaceId,
        organizationId,
        name: "Default",
        slug: "default",
        metadata: {},
        settings: {},
        isDefault: true,
        ...times,
      }),
      context.db.insert(apiKey).values({
        id: newId(context),
        organizationId,
        name: "Operator",
        keyPrefix: key.slice(0, 12),
        keyHash,
        scopes: ["*"],
        isAdmin: true,
        keyType: "admin",
        rateLimitRpm,
        status: "active",
        ...times,
      }),
    ]);
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
    await replaceOperatorKey(context, key, keyHash);
  }
}

// The setting has changed: from its first use on, the new key is the operator's and the former one
// is nobody's.
async function replaceOperatorKey(context: Context, key: string, keyHash: string) {
  await context.db
    .update(apiKey)
    .set({ keyHash, keyPrefix: key.slice(0, 12), status: "active", updatedAt: context.now() })
    .where(and(eq(apiKey.isAdmin, true), isNull(apiKey.createdBy)));
}
