import { createApp } from "./api.ts";
import { createContext, type Env, type Nudge } from "./context.ts";
import { onCron } from "./cron.ts";
import { onNudges } from "./queue.ts";

export { Lane } from "./lane.ts";

export default {
  fetch: createApp(createContext).fetch,
  queue: onNudges,
  scheduled: (_controller, env) => onCron(env),
} satisfies ExportedHandler<Env, Nudge>;
