// What holds for whatever the control plane and a host say to each other.
import { z } from "zod";

/**
 * Counts up when one side says something the other has to know. A control plane and a host that
 * are one version apart work together; more is refused in words.
 */
export const protocolVersion = 3;

/** True for a version this one works together with; hosts of before had other commands. */
export function isSpoken(version: number): boolean {
  return version >= 3 && Math.abs(version - protocolVersion) <= 1;
}

/** The header in which each says its version with every request and answer. */
export const protocolHeader = "x-miosa-protocol";

/** Body of every answer that is not 200. */
export const HostError = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
});

/** What a command takes that needs no input, and reports that has nothing to tell. */
export const Nothing = z.strictObject({});
