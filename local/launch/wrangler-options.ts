// Prints what a wrangler.toml means to Miniflare, as JSON. A program of its own because loading
// wrangler takes longer than starting the Worker: its answer is kept beside the bundle.
//
//   node local/launch/wrangler-options.ts FILE
import { unstable_getMiniflareWorkerOptions } from "wrangler";

const { workerOptions } = unstable_getMiniflareWorkerOptions(process.argv[2] ?? "wrangler.toml");
const { modulesRules: _, ...options } = workerOptions;
process.stdout.write(JSON.stringify(options));
