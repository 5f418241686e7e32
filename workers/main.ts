import { createApp } from "./api.ts";
import { createContext, type Env, type Nudge } from "./context.ts";
import { onCron } from "./cron.ts";
import { onMessages } from "./queue.ts";

export { Lane } from "./lane.ts";
export { Limiter } from "./limiter.ts";

export default {
  fetch: createApp(createContext).fetch,
  queue: (batch, env) => onMessages(batch, env),
  scheduled: ({ cron }, env) => onCron(env, cron),
} satisfies ExportedHandler<Env, Nudge>;
