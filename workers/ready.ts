import type { OpenAPIHono } from "@hono/zod-openapi";
import { sql } from "drizzle-orm";
import { clustersReady } from "../src/cluster/ready.ts";
import type { Context } from "../src/core/context.ts";
import type { ApiEnv, ContextOf } from "./api.ts";
import { log } from "./context.ts";

/** `/healthz`: the Worker runs. `/readyz`: it can serve, or the names of what is not ready. */
export function mountHealth(app: OpenAPIHono<ApiEnv>, contextOf: ContextOf): void {
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/readyz", async (c) => {
    const context = await contextOf(c.env);
    const notReady = await findNotReady(context);
    const ready = notReady.length === 0;
    return c.json({ ready, not_ready: notReady }, ready ? 200 : 503);
  });
}

async function findNotReady(context: Context): Promise<string[]> {
  try {
    await context.db.run(sql`select 1`);
    const clusters = await clustersReady(context);
    if (clusters.length === 0) return ["clusters: none is registered"];
    return clusters.filter((each) => !each.ready).map((each) => `cluster: ${each.name}`);
  } catch (error) {
    log({ level: "error", message: error instanceof Error ? error.message : String(error) });
    return ["d1"];
  }
}
