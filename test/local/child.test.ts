import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Kept, keepRunning, pauseMilliseconds } from "../../local/launch/child.ts";

let home: string;
let kept: Kept | undefined;
const pids: number[] = [];

let isAnswering = true;
beforeEach(() => {
  isAnswering = true;
  home = mkdtempSync(join(tmpdir(), "child-"));
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(async () => {
  await kept?.stop(5);
  pids.length = 0;
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

function run(program: string): Kept {
  kept = keepRunning({
    name: "child",
    args: ["-e", program],
    env: { HOME: home },
    log: join(home, "child.log"),
    answers: async () => isAnswering,
    onStart: (pid) => pids.push(pid),
  });
  return kept;
}

const forever = "setInterval(() => 0, 1000)";
const said = (text: string) =>
  vi.waitFor(() => expect(readFileSync(join(home, "child.log"), "utf8")).toContain(text), 5000);

test("a program that is killed is started anew at once", async () => {
  run(forever).established();
  process.kill(pids[0] ?? 0, "SIGKILL");
  await vi.waitFor(() => expect(pids).toHaveLength(2), 1000);
});

test("a program that ends before it was ever ready is not started anew", async () => {
  const { failed } = run('console.error("no such directory"); process.exit(3)');
  await expect(failed).rejects.toThrow(/exit code 3.*\nno such directory/);
  expect(pids).toHaveLength(1);
});

test("a program that keeps ending is started less and less often, at least every 10 s", () => {
  expect([1, 2, 3, 4, 50].map(pauseMilliseconds)).toEqual([0, 250, 500, 1000, 10_000]);
});

test("a stop lets the program end by itself and starts it no more", async () => {
  const done = join(home, "done");
  const end = `require("fs").writeFileSync("${done}", ""); process.exit(0)`;
  const child = run(`process.on("SIGTERM", () => { ${end} }); console.log("up"); ${forever}`);
  child.established();
  await said("up");
  await child.stop(5);
  expect(existsSync(done)).toBe(true);
  expect(pids).toHaveLength(1);
});

test("a program that does not end when asked is killed", async () => {
  const child = run(`process.on("SIGTERM", () => 0); console.log("up"); ${forever}`);
  await said("up");
  await child.stop(0.1);
  expect(() => process.kill(pids[0] ?? 0, 0)).toThrow("ESRCH");
});

test("a program that was halted is sent on", async () => {
  run(`${forever}; process.on("SIGCONT", () => console.log("goes on")); console.log("runs")`);
  kept?.established();
  await said("runs");
  process.kill(pids[0] ?? 0, "SIGSTOP");
  await vi.waitFor(
    () => expect(readFileSync(join(home, "child.log"), "utf8")).toContain("goes on"),
    9000,
  );
  expect(pids).toHaveLength(1);
});

test("a program that lives and does not answer is ended and started anew", async () => {
  run(forever).established();
  isAnswering = false;
  await vi.waitFor(() => expect(pids).toHaveLength(2), 15_000);
  isAnswering = true;
});
