// Which version of the protocol a control plane and a host of instances speak.

/**
 * Counts up when one side says something the other has to know. A control plane and a host that
 * are one version apart work together; more is refused in words.
 */
export const protocolVersion = 3;

/** True for a version this one works together with; hosts of before had other commands. */
export function isSpoken(version: number): boolean {
  return version >= 3 && Math.abs(version - protocolVersion) <= 1;
}
