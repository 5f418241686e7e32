// `npm run bench -- <figure>`: one command per published figure.
import { line } from "./report.ts";

const figures: Record<string, () => Promise<{ readonly run: () => Promise<void> }>> = {
  provision: () => import("./provision.ts"),
  lifecycle: () => import("./lifecycle.ts"),
  pooler: () => import("./pooler.ts"),
  restore: () => import("./restore.ts"),
  verification: () => import("./verification.ts"),
  serverless: () => import("./serverless.ts"),
  webhooks: () => import("./webhook.ts"),
};

const [name = ""] = process.argv.slice(2);
const load = figures[name];
if (load === undefined) {
  line(`Name a figure: npm run bench -- ${Object.keys(figures).join(" | ")}`);
  process.exit(2);
}
await (await load()).run();
