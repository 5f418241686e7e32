import { type IdSource, opaqueName } from "./id.ts";

/** A slug for a name nobody gave one for: its letters, and five random ones against collisions. */
export function slugOf(source: IdSource, name: string): string {
  const words = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 50)
    .replace(/-+$/, "");
  return `${words === "" ? "x" : words}-${opaqueName(source, 5)}`;
}
