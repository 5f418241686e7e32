// What this machine's apt knows: candidates, and where Debian's packages come from.

/** Candidate versions by package, from the output of `apt-cache policy PACKAGE...`. */
export function parseCandidates(output: string): ReadonlyMap<string, string> {
  const candidates = new Map<string, string>();
  let name = "";
  for (const line of output.split("\n")) {
    const heading = /^(\S+):$/.exec(line)?.[1];
    if (heading !== undefined) name = heading;
    const version = /^ {2}Candidate: (\S+)$/.exec(line)?.[1];
    if (version !== undefined && version !== "(none)") candidates.set(name, version);
  }
  return candidates;
}

/** The fields `parseMirrors` wants, for `apt-get indextargets --format`. */
export const mirrorFormat = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)";

/** Where this machine gets Debian from. */
export interface Mirrors {
  readonly main: string;
  readonly security: string | undefined;
}

/**
 * The mirrors of a Debian system, from `apt-get indextargets` in `mirrorFormat`; undefined when
 * apt gets its packages from elsewhere, as on a system that is only like Debian.
 */
export function parseMirrors(output: string): Mirrors | undefined {
  const lines = output.split("\n").map((line) => line.split("|"));
  const debian = lines.filter(([origin, , , component]) => {
    return origin === "Debian" && component === "main";
  });
  const find = (label: string, isOf: (codename: string) => boolean) =>
    debian.find(([, name, codename = ""]) => name === label && isOf(codename))?.[4];
  const main = find("Debian", (codename) => /^[a-z]+$/.test(codename));
  if (main === undefined || main === "") return undefined;
  return { main, security: find("Debian-Security", (codename) => codename.endsWith("-security")) };
}
