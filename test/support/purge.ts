import { purgeDeleted } from "../../src/database/purge.ts";
import { purgeProjects } from "../../src/project/purge.ts";
import type { TestApi } from "./api.ts";

/** What the cron does about deleted things, and the lanes it nudges, until they rest. */
export async function purge(api: TestApi): Promise<void> {
  const already = api.nudges.length;
  await purgeDeleted(api.context);
  await purgeProjects(api.context);
  for (const lane of api.nudges.slice(already)) await api.context.drive(lane, 0);
}
