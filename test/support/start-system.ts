// Starts the one system that the end-to-end files share; a file that kills things starts its own.
import type { TestProject } from "vitest/node";
import { tellBinaries } from "./binaries.ts";
import type {} from "./shared-system.ts";
import { startSystem } from "./system.ts";

// Much of what is tested is what the cron does, and nobody wants to wait a minute for each.
const cronSeconds = 5;

/** Runs before the first file; what it returns runs after the last. */
export async function setup(project: TestProject) {
  process.stderr.write("Starting a system for the end-to-end tests\n");
  const system = await startSystem({ cronSeconds });
  tellBinaries(system);
  project.provide("systemHome", system.home);
  return () => system.remove();
}
