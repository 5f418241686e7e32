import { unavailable } from "../core/error.ts";

/** Asks a cluster something for a caller. @throws ApiError 503 when it does not answer. */
export async function ask<Result>(question: () => Promise<Result>): Promise<Result> {
  try {
    return await question();
  } catch (cause) {
    const error = unavailable("CLUSTER_UNAVAILABLE", "The cluster does not answer; ask again.", 5);
    error.cause = cause;
    throw error;
  }
}
