import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { findRunning, lockHome } from "../../local/launch/lock.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Another process that holds the lock. */
async function holdElsewhere(home: string): Promise<ChildProcess> {
  const lock = new URL("../../local/launch/lock.ts", import.meta.url);
  const program = `const { lockHome } = await import("${lock}");
    await lockHome("${home}"); process.stdout.write("held"); setInterval(() => 0, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

test("a second launcher of a state directory is refused, naming the first", async () => {
  const child = await holdElsewhere("/lock-test/second");
  await expect(lockHome("/lock-test/second")).rejects.toThrow(`process ${child.pid}`);
  expect(await findRunning("/lock-test/second")).toBe(child.pid);
});

test("a launcher killed with -9 leaves no lock behind", async () => {
  const child = await holdElsewhere("/lock-test/killed");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await findRunning("/lock-test/killed")).toBeUndefined();
  await lockHome("/lock-test/killed");
});

test("two state directories do not lock each other out", async () => {
  await holdElsewhere("/lock-test/one");
  await lockHome("/lock-test/two");
});
