import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type RunningSystem, startSystem } from "./system.ts";

const Record = z.object({
  binaries: z.object({ kind: z.enum(["native", "rootfs"]), path: z.string().optional() }),
});

/** Tells the tests that run a host program alone where a system has found the servers. */
export function tellBinaries({ home }: Pick<RunningSystem, "home">): void {
  const record = readFileSync(join(home, "binaries.json"), "utf8");
  const { kind, path } = Record.parse(JSON.parse(record)).binaries;
  if (kind === "rootfs" && path !== undefined) process.env.MIOSA_ROOTFS = path;
}

/** Has a system find the servers, or install them, before tests that start their own. */
export async function setup(): Promise<void> {
  const system = await startSystem();
  tellBinaries(system);
  await system.remove();
}
