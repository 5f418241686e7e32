// Starts the one system that the end-to-end files share; a file that kills things starts its own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { z } from "zod";
import type {} from "./shared-system.ts";
import { startSystem } from "./system.ts";

const Record = z.object({
  binaries: z.object({ kind: z.enum(["native", "rootfs"]), path: z.string().optional() }),
});

// Much of what is tested is what the cron does, and nobody wants to wait a minute for each.
const cronSeconds = 5;

/** Runs before the first file; what it returns runs after the last. */
export async function setup(project: TestProject) {
  process.stderr.write("Starting a system for the end-to-end tests\n");
  const system = await startSystem({ cronSeconds });
  const record = readFileSync(join(system.home, "binaries.json"), "utf8");
  const { kind, path } = Record.parse(JSON.parse(record)).binaries;
  // Where a test that runs the host program alone finds the servers.
  if (kind === "rootfs" && path !== undefined) process.env.MIOSA_ROOTFS = path;
  project.provide("systemHome", system.home);
  return () => system.remove();
}
