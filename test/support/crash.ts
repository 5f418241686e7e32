// A runner that dies: after one chosen call to D1 or to a host nothing it does happens any more,
// not even what its error handling would write.
import type { HostPort } from "../../src/core/host-port.ts";

/** The runner is gone. */
export class Crash extends Error {
  override readonly name = "Crash";
}

/** Which call kills the runner, counted from 1, and whether it still has its effect. */
export interface CrashPoint {
  readonly call: number;
  readonly when: "before" | "after";
}

/** Performs calls until the one that kills; from then on refuses all of them. */
export function createFuse(point: CrashPoint | null) {
  let calls = 0;
  let hasCrashed = false;
  const crash = () => {
    hasCrashed = true;
    throw new Crash("The runner is gone.");
  };

  async function perform<Result>(effect: () => Promise<Result>): Promise<Result> {
    if (hasCrashed) throw new Crash("The runner is gone.");
    calls++;
    if (calls !== point?.call) return effect();
    if (point.when === "before") return crash();
    await effect();
    return crash();
  }

  return { perform, hasCrashed: () => hasCrashed };
}
type Perform = ReturnType<typeof createFuse>["perform"];

/** A host port whose effects go through a fuse. */
export function fusedPort(port: HostPort, perform: Perform): HostPort {
  return new Proxy(port, {
    get: (target, name) => {
      const effect = Reflect.get(target, name) as (...input: unknown[]) => Promise<unknown>;
      return (...input: unknown[]) => perform(() => effect(...input));
    },
  });
}

/** A D1 whose queries and batches go through a fuse. */
export function fusedD1(d1: D1Database, perform: Perform): D1Database {
  const originals = new WeakMap<object, D1PreparedStatement>();
  const runs = new Set<string | symbol>(["all", "first", "raw", "run"]);

  function fused(statement: D1PreparedStatement): D1PreparedStatement {
    const proxy = new Proxy(statement, {
      get: (target, name) => {
        if (name === "bind") return (...values: unknown[]) => fused(target.bind(...values));
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        const run = member.bind(target);
        return runs.has(name) ? (...input: unknown[]) => perform(async () => run(...input)) : run;
      },
    });
    originals.set(proxy, statement);
    return proxy;
  }

  return new Proxy(d1, {
    get: (target, name) => {
      if (name === "prepare") return (query: string) => fused(target.prepare(query));
      if (name !== "batch") return Reflect.get(target, name);
      return (statements: D1PreparedStatement[]) =>
        perform(() => target.batch(statements.map((each) => originals.get(each) ?? each)));
    },
  });
}
