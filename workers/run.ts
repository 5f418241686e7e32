import { organizationIn, sealEntries } from "../src/audit/seal.ts";
import type { Context } from "../src/core/context.ts";
import { hostOfSpareLane } from "../src/database/spare.ts";
import { fillSpares } from "../src/database/spare-tend.ts";
import { type LaneRest, runLane } from "../src/operation/run.ts";
import { runEndpoint } from "../src/webhook/deliver.ts";
import { webhookIn } from "../src/webhook/lane.ts";
import { registry } from "./registry.ts";

/** Runs a lane until it rests, whatever it is of. */
export async function run(context: Context, lane: string): Promise<LaneRest> {
  const webhookId = webhookIn(lane);
  if (webhookId !== null) return runEndpoint(context, webhookId);
  const organizationId = organizationIn(lane);
  if (organizationId !== null) return sealEntries(context, organizationId);
  const hostId = hostOfSpareLane(lane);
  if (hostId !== null) await fillSpares(context, hostId);
  return runLane(context, registry, lane);
}
