// Three projects, each run in a process of its own by test/run.ts:
//   unit  verbs, operations and routes in workerd, over a real D1
//   node  the host program's parts, the launcher's parts, and the rules of the house
//   e2e   the whole system: Worker, D1, host program, Postgres, PgBouncer
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { defineConfig } from "vitest/config";
import { trustedFile } from "./test/support/tls-receiver.ts";

// Whom workerd trusts is read when the plugin is loaded, and is nobody else's business.
process.env.NODE_EXTRA_CA_CERTS = trustedFile;
const { cloudflareTest, readD1Migrations } = await import("@cloudflare/vitest-plugin");
delete process.env.NODE_EXTRA_CA_CERTS;

const inNode = ["test/host/**/*.test.ts", "test/launch/**/*.test.ts", "test/*.test.ts"];
const wholeSystem = ["test/e2e/**/*.test.ts"];

function signingKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid: "test" });
}

const workers = cloudflareTest(async () => ({
  wrangler: { configPath: "./wrangler.toml" },
  miniflare: {
    bindings: {
      MIOSA_ADMIN_KEY: `msk_a_${randomBytes(32).toString("base64url")}`,
      MIOSA_SEALING_KEYS: JSON.stringify({
        current: "k1",
        keys: { k1: randomBytes(32).toString("base64") },
      }),
      MIOSA_HOST_KEY: signingKey(),
      MIOSA_CERTIFICATE_KEY: signingKey(),
      MIGRATIONS: await readD1Migrations("migrations"),
      MIOSA_WALK_SEED: process.env.MIOSA_WALK_SEED ?? "",
      MIOSA_WALK_STEPS: process.env.MIOSA_WALK_STEPS ?? "",
    },
  },
}));

export default defineConfig({
  test: {
    retry: 0,
    projects: [
      {
        plugins: [workers],
        test: {
          name: "unit",
          include: ["test/*/**/*.test.ts"],
          exclude: [...inNode, ...wholeSystem],
          globalSetup: ["test/support/tls-receiver.ts"],
          setupFiles: ["test/support/migrate.ts"],
          // A start of workerd for each file is half of the time; tables are emptied by each test.
          isolate: false,
          // The laws alone take as long as all others together.
          maxWorkers: 2,
          // The laws play an operation some dozen times, on machines that are busy.
          testTimeout: 240_000,
        },
      },
      // Every file is parsed by tests of the whole tree, on machines that are busy.
      { test: { name: "node", include: inNode, testTimeout: 30_000 } },
      {
        test: {
          name: "e2e",
          include: wholeSystem,
          globalSetup: ["test/support/start-system.ts"],
          // Each file loads both cores by itself.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
