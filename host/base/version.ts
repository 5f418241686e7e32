// Versions as programs and Debian packages say them: "17.11", "1.24.1-1+deb13u2", "2:1.0".

/** The oldest PgBouncer that no packet of a stranger ends or keeps busy for ever. */
export const pgbouncerMinimum = "1.26.1";

/** The upstream numbers of a version, without epoch and revision: [1, 24, 1]. */
function versionNumbers(version: string): readonly number[] {
  const upstream = /^(?:\d+:)?(\d+(?:\.\d+)*)/.exec(version)?.[1];
  return upstream === undefined ? [] : upstream.split(".").map(Number);
}

/** True when the version is `minimum` or newer; false for a text that is no version. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = versionNumbers(version);
  if (have.length === 0) return false;
  for (const [index, wanted] of versionNumbers(minimum).entries()) {
    const number = have[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}

/** The version in what `--version` printed, or undefined. */
export function findVersion(output: string): string | undefined {
  return /\b\d+(?:\.\d+)*\b/.exec(output)?.[0];
}
