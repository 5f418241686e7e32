import { isUuid } from "../core/id.ts";

/** The id callers know a dump by, beside the labels of base backups. */
export function dumpName(id: string): string {
  return `bkp_${id}`;
}

/** The dump's id in such a name, or null. */
export function dumpIdIn(name: string): string | null {
  const id = name.startsWith("bkp_") ? name.slice(4).toLowerCase() : "";
  return isUuid(id) ? id : null;
}
