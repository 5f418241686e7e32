// Which recoveries nobody wants any more, though nobody has ended them.

const abandonedMilliseconds = 2 * 3_600_000;
// Somebody who asks that often is at work with it.
const askedMilliseconds = 60_000;

/** What is known of a recovery that matters to it; milliseconds since the epoch. */
export interface Wanted {
  readonly state: "waiting" | "running" | "ready" | "failed";
  readonly askedAt: number;
  readonly isLoading: boolean;
  /** Of a preview: until when it was asked for. */
  readonly keepUntil?: number | undefined;
}

/**
 * True for a recovery that may be removed: one nobody has asked for in a long time, or a preview
 * whose time is over, unless it is being made something else.
 */
export function isAbandoned({ state, askedAt, isLoading, keepUntil }: Wanted, now: number) {
  if (state !== "ready" && state !== "failed") return false;
  if (isLoading) return false;
  if (keepUntil === undefined) return now - askedAt > abandonedMilliseconds;
  return now > keepUntil && now - askedAt > askedMilliseconds;
}

/** What the restore points of verifications are called. */
export const verificationPrefix = "miosa_verify_";

/** True for a recovery whose verification ended with the program that began it. */
export function isOfVerification(request: object): boolean {
  const { target } = request as { readonly target?: { readonly name?: string } };
  return target?.name?.startsWith(verificationPrefix) === true;
}
