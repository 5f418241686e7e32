import type { OpenAPIHono } from "@hono/zod-openapi";
import { sql } from "drizzle-orm";
import type { Context } from "../src/core/context.ts";
import { messageOf } from "../src/core/error.ts";
import { holdOf } from "../src/hold/find.ts";
import { hostsReady } from "../src/host/ready.ts";
import type { ApiEnv, ContextOf } from "./api.ts";
import { log } from "./context.ts";
import { Misconfigured } from "./installation.ts";

/** What `/readyz` says: nothing serves, some of it does, or all. */
interface Readiness {
  readonly status: "ready" | "degraded" | "unavailable";
  /** Names of what is not ready, with the reason where there is one. */
  readonly notReady: readonly string[];
}

/** `/healthz`: the Worker runs. `/readyz`: whether it can serve, and the names of what cannot. */
export function mountHealth(app: OpenAPIHono<ApiEnv>, contextOf: ContextOf): void {
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/readyz", async (c) => {
    const { status, notReady } = await contextOf(c.env).then(look, lookFailed);
    const body = { ready: status !== "unavailable", status, not_ready: notReady };
    return c.json(body, status === "unavailable" ? 503 : 200);
  });
}

async function look(context: Context): Promise<Readiness> {
  try {
    await context.db.run(sql`select 1`);
    const [hosts, hold] = await Promise.all([hostsReady(context), holdOf(context)]);
    if (hosts.length === 0) return unavailable("hosts: none is registered");
    const silent = hosts.flatMap(({ name, reason }) =>
      reason === null ? [] : [`host: ${name}: ${reason}`],
    );
    // Repairs that are held keep nobody from being served.
    const held = hold === null ? [] : [`repairs are held: ${hold.reason}`];
    const notReady = [...silent, ...held];
    if (silent.length === hosts.length) return { status: "unavailable", notReady };
    return { status: notReady.length === 0 ? "ready" : "degraded", notReady };
  } catch (error) {
    log({ level: "error", message: messageOf(error) });
    return unavailable("d1");
  }
}

function lookFailed(error: unknown): Readiness {
  const message = messageOf(error);
  log({ level: "error", message });
  return unavailable(error instanceof Misconfigured ? message : "d1");
}

const unavailable = (what: string): Readiness => ({ status: "unavailable", notReady: [what] });
