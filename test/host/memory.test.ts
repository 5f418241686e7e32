import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Wanted } from "../../host/database-file.ts";
import { createMemoryLimits, limitMemory } from "../../host/memory.ts";
import { noWeights } from "../../host/weight.ts";
import { backendBytesMin } from "../../src/contract/setting.ts";

let parent: ChildProcess;
let children: readonly number[];

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

/** Processes that stand for Postgres and three of its own; each is born as Postgres is. */
beforeEach(async () => {
  const born = `${limitMemory} && { sleep 600 & sleep 600 & sleep 600 & wait; }`;
  parent = spawn("/bin/sh", ["-c", born], { stdio: "ignore", detached: true });
  await expect.poll(() => childrenOf(parent.pid ?? 0).filter(Boolean).length).toBe(3);
  children = childrenOf(parent.pid ?? 0);
});
afterEach(() => process.kill(-(parent.pid ?? 0), "SIGKILL"));

/** Soft limits as the kernel has them: `unlimited` is NaN. */
function limitsOf(pid: number) {
  const text = readFileSync(`/proc/${pid}/limits`, "utf8");
  const soft = (name: string) => Number(new RegExp(`^${name}\\s+(\\d+)`, "m").exec(text)?.[1]);
  return { data: soft("Max data size"), space: soft("Max address space") };
}

function aLook(databases: readonly (string | null)[], wanted: Record<string, Wanted>) {
  const all = new Map(Object.entries(wanted));
  const list = async () =>
    databases.map((database, index) => ({ pid: children[index] ?? 0, database }));
  const limits = createMemoryLimits({
    file: { all },
    backends: { list },
    postmaster: () => parent.pid,
    weights: noWeights,
  });
  return { limits, all };
}

test("a backend has the number of its database, and Postgres' own processes none", async () => {
  const large = { bytes_per_backend: 2 ** 30 };
  const { limits } = aLook(["proj_small", "proj_large", null], { proj_large: large });
  await limits.look();
  const [small, raised, own] = children.map(limitsOf);
  expect([small?.data, raised?.data, own?.data]).toEqual([backendBytesMin, 2 ** 30, Number.NaN]);
  expect((raised?.space ?? 0) - (small?.space ?? 0)).toBe(2 ** 30 - backendBytesMin);
  expect(limitsOf(parent.pid ?? 0).data).toBe(backendBytesMin);
});

test("a number that changed holds for backends that live, larger or smaller", async () => {
  const { limits, all } = aLook(["proj_a"], {});
  for (const bytes_per_backend of [2 ** 29, 2 ** 27]) {
    await limits.look();
    all.set("proj_a", { bytes_per_backend });
    limits.renew();
    await limits.look();
    expect(limitsOf(children[0] ?? 0).data).toBe(bytes_per_backend);
  }
});

test("a process Postgres does not list keeps the limit it was born with", async () => {
  const { limits } = aLook([], {});
  for (let looks = 0; looks < 25; looks += 1) await limits.look();
  expect(children.map((pid) => limitsOf(pid).data)).toEqual(children.map(() => backendBytesMin));
});
