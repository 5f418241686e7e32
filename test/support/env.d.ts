import type { D1Migration } from "cloudflare:test";
import type { Env as WorkerEnv } from "../../workers/context.ts";

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      readonly MIGRATIONS: D1Migration[];
      /** A random walk's, from the environment; empty for its own. */
      readonly MIOSA_WALK_SEED: string;
      readonly MIOSA_WALK_STEPS: string;
    }
  }
}
