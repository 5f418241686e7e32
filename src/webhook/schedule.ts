import type { Context } from "../core/context.ts";

// 5 s, 30 s, 2 min, 10 min, 30 min, then hours: ten retries span more than a day.
const delaysSeconds = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200];
const retryAfterSecondsMax = 3600;

/**
 * When an attempt follows that has failed as the `attempts`-th; null after the last. What the
 * receiver asks for is waited for, up to an hour.
 */
export function nextAttemptAt(
  context: Context,
  attempts: number,
  retryCount: number,
  retryAfterSeconds: number | null,
): Date | null {
  const delay = delaysSeconds[attempts - 1];
  if (attempts > retryCount || delay === undefined) return null;
  const jitter = 0.8 + ((context.random(1)[0] ?? 0) / 255) * 0.4;
  const asked = Math.min(retryAfterSeconds ?? 0, retryAfterSecondsMax);
  return new Date(context.now().getTime() + Math.max(delay * jitter, asked) * 1000);
}

/** Seconds a `Retry-After` asks for, which may be a number or a date; null when it is neither. */
export function readRetryAfter(text: string | null, now: Date): number | null {
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, (at - now.getTime()) / 1000);
}
