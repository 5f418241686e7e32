import { purgeIdempotencyKeys } from "../src/account/idempotency.ts";
import { sweep } from "../src/operation/sweep.ts";
import { createContext, type Env } from "./context.ts";

/** Every minute: looks for work whose nudge was lost, and forgets what is out of date. */
export async function onCron(env: Env): Promise<void> {
  const context = await createContext(env);
  await sweep(context);
  await purgeIdempotencyKeys(context);
}
