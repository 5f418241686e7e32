import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { feedWatchdog } from "../../../host/base/watchdog.ts";

let directory: string;
let environment: NodeJS.ProcessEnv;
const said = () => readFileSync(join(directory, "said"), "utf8");

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "watchdog-"));
  // In the place of systemd's own program: it writes down what it was to say, and to whom.
  const program = join(directory, "systemd-notify");
  writeFileSync(program, `#!/bin/sh\necho "$1 $NOTIFY_SOCKET" >> ${directory}/said\n`);
  chmodSync(program, 0o700);
  writeFileSync(join(directory, "said"), "");
  environment = { PATH: `${directory}:/usr/bin:/bin`, NOTIFY_SOCKET: "/run/notify" };
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("systemd hears again and again that the program lives, where it asked for it", async () => {
  const stop = feedWatchdog({ ...environment, WATCHDOG_USEC: "4000000" }, 10);
  await vi.waitFor(() => expect(said()).toMatch(/^(WATCHDOG=1 \/run\/notify\n){2}/), 20_000);
  stop();
});

test("nobody is told where no unit asks for it", () => {
  vi.useFakeTimers();
  feedWatchdog(environment, 10);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
