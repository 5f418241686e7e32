import { app } from "./api.ts";
import type { Env, Nudge } from "./context.ts";
import { onCron } from "./cron.ts";
import { onNudges } from "./queue.ts";

export { Lane } from "./lane.ts";

export default {
  fetch: app.fetch,
  queue: onNudges,
  scheduled: (_controller, env) => onCron(env),
} satisfies ExportedHandler<Env, Nudge>;
