// Tells systemd every second that this program lives, where its unit asks for that: one that hangs
// or was halted is then ended and started again (sd_notify(3), WATCHDOG=1).
import { execFile } from "node:child_process";
import { log } from "./log.ts";

const everyMilliseconds = 1000;

/** Begins, unless systemd did not ask for it; what it returns ends it. */
export function feedWatchdog(
  environment: NodeJS.ProcessEnv = process.env,
  milliseconds = everyMilliseconds,
): () => void {
  const isAsked =
    environment.NOTIFY_SOCKET !== undefined && environment.WATCHDOG_USEC !== undefined;
  if (!isAsked) return () => undefined;
  const timer = setInterval(() => {
    execFile("systemd-notify", ["WATCHDOG=1"], { env: environment }, (error) => {
      if (error !== null)
        log("error", `systemd was not told that the host lives: ${error.message}`);
    });
  }, milliseconds);
  return () => clearInterval(timer.unref());
}
