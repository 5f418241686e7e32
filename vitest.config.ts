// Five projects, each run in a process of its own by test/run.ts:
//   unit  verbs, operations and routes in workerd, over a real D1
//   node  the host program's parts, the launcher's parts, and the rules of the house
//   e2e-shared, e2e-own   the whole system: Worker, D1, host program, Postgres, PgBouncer
//   e2e-instance   instances of Postgres, poolers and repositories, without a host program
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { trustedFile } from "./test/support/tls-receiver.ts";

// Whom workerd trusts is read when the plugin is loaded, and is nobody else's business.
process.env.NODE_EXTRA_CA_CERTS = trustedFile;
const { cloudflareTest, readD1Migrations } = await import("@cloudflare/vitest-plugin");
delete process.env.NODE_EXTRA_CA_CERTS;

const inNode = ["test/host/**/*.test.ts", "test/local/**/*.test.ts", "test/*.test.ts"];
// Those that use the one system they share, those that start systems or hosts of their own, and
// those of instances alone.
// Those that take minutes each run by `npm run test:hosts` alone.
const longSuites = [
  "database-kill",
  "instance-past",
  "instance-recovery",
  "instance-store",
  "instance-verification",
  "ledger",
  "recovery-tables",
].map((name) => `test/e2e/${name}.test.ts`);
const everySystem = readdirSync(join(import.meta.dirname, "test/e2e"))
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/e2e/${name}`);
const isLong = process.env.MIOSA_LONG_SUITES !== undefined;
const wholeSystem = isLong ? longSuites : everySystem.filter((file) => !longSuites.includes(file));
const uses = (file: string, support: RegExp) =>
  support.test(readFileSync(join(import.meta.dirname, file), "utf8"));
const ofSharedSystem = wholeSystem.filter((file) => uses(file, /support\/shared-system\.ts/));
const ofInstances = wholeSystem.filter((file) =>
  uses(file, /support\/(fleet|databases|host-program)\.ts/),
);
const ofOwnSystems = wholeSystem.filter(
  (file) => !ofSharedSystem.includes(file) && !ofInstances.includes(file),
);
// Each file loads both cores by itself.
const inTurn = { fileParallelism: false, testTimeout: 60_000, hookTimeout: 300_000 };

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
          exclude: [...inNode, ...everySystem],
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
          ...inTurn,
          name: "e2e-shared",
          include: ofSharedSystem,
          globalSetup: ["test/support/start-system.ts"],
        },
      },
      {
        test: {
          ...inTurn,
          name: "e2e-own",
          include: ofOwnSystems,
          globalSetup: ["test/support/binaries.ts"],
        },
      },
      {
        test: {
          ...inTurn,
          name: "e2e-instance",
          include: ofInstances,
          globalSetup: ["test/support/binaries.ts"],
        },
      },
    ],
  },
});
