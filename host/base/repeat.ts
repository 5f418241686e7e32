import { setTimeout as delay } from "node:timers/promises";
import { log, messageOf } from "./log.ts";

/** Repeats a look until the signal aborts; a failure is logged once, until it works again. */
export async function repeat(
  what: string,
  milliseconds: number,
  look: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    await look().then(
      () => {
        isFailing = false;
      },
      (error) => {
        // A server that is being restarted is told of elsewhere: once is enough here.
        if (!isFailing && !signal.aborted) log("warn", `Cannot ${what}: ${messageOf(error)}`);
        isFailing = true;
      },
    );
    await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}
