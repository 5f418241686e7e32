import { purgeIdempotencyKeys } from "../src/account/idempotency.ts";
import { clustersReady } from "../src/cluster/ready.ts";
import { resealClusters } from "../src/cluster/reseal.ts";
import { resealDatabases } from "../src/database/reseal.ts";
import { sweep } from "../src/operation/sweep.ts";
import { createContext, type Env } from "./context.ts";

/**
 * Every minute: looks for work whose nudge was lost, forgets what is out of date, re-wraps what a
 * former sealing key sealed, and looks in on each cluster, whose lane then also makes spares and
 * clears away what a dead maker left.
 */
export async function onCron(env: Env): Promise<void> {
  const context = await createContext(env);
  await sweep(context);
  await purgeIdempotencyKeys(context);
  await resealClusters(context);
  await resealDatabases(context);
  await clustersReady(context);
}
