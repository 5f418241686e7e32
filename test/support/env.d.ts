import type { D1Migration } from "cloudflare:test";
import type { Env as WorkerEnv } from "../../workers/context.ts";

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      readonly MIGRATIONS: D1Migration[];
    }
  }
}
