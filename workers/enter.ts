// Where a request goes in: the organization and the workspace that its headers name.
import type { MiddlewareHandler } from "hono";
import { enterWorkspace } from "../src/account/find.ts";
import { requireOwnOrganization } from "../src/account/organization.ts";
import type { ApiEnv } from "./api.ts";

/** Narrows the actor to what `X-MIOSA-Tenant` and `X-MIOSA-Workspace` name, if its key sees it. */
export const enter: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const { context, actor } = c.var;
  const tenant = c.req.header("x-miosa-tenant");
  if (tenant !== undefined) await requireOwnOrganization(context, actor, tenant);
  const workspace = c.req.header("x-miosa-workspace");
  if (workspace !== undefined) c.set("actor", await enterWorkspace(context, actor, workspace));
  await next();
};
