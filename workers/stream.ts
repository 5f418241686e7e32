// Bodies that are no JSON but an archive: they go on to a host as they come.
import type { HonoRequest, MiddlewareHandler } from "hono";
import type { ApiEnv } from "./api.ts";

const drainedBytesMax = 32 * 1024 * 1024;
const archivePath = /\/databases\/[^/]+\/imports$/;

/** True for such a body. */
export function isStreamed(request: HonoRequest): boolean {
  const { body } = request.raw;
  if (body === null || request.method !== "POST" || !archivePath.test(request.path)) return false;
  return request.header("content-type")?.includes("json") !== true;
}

/**
 * Hands the body on as it is. One that is refused is read on for a while: a client that is still
 * sending would find a broken connection in place of the answer.
 */
export const passBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const { body } = c.req.raw;
  await next();
  if (body === null || body.locked) return;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > drainedBytesMax) break;
  }
};
