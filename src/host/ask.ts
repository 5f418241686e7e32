import { unavailable } from "../core/error.ts";

// What a caller waits for is read in milliseconds: whoever is silent for so long is away.
const waitMilliseconds = 10_000;

/** Asks a host something for a caller. @throws ApiError 503 when it does not answer in 10 s. */
export async function ask<Result>(question: () => Promise<Result>): Promise<Result> {
  const timeUp = AbortSignal.timeout(waitMilliseconds);
  const silence = new Promise<never>((_, reject) => {
    timeUp.addEventListener("abort", () => reject(timeUp.reason));
  });
  try {
    return await Promise.race([question(), silence]);
  } catch (cause) {
    const error = unavailable("HOST_UNAVAILABLE", "The host does not answer; ask again.", 5);
    error.cause = cause;
    throw error;
  }
}
