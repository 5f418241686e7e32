// Which events an endpoint is told of: names, and globs such as `database.*`.
import { ApiError } from "../core/error.ts";
import { eventTypes } from "./event.ts";

/** How a name, or a glob, is written. */
export const filterForm = /^[a-z_*]{1,40}(\.[a-z_*]{1,40}){0,3}$/;
// Categories whose events are not made here yet, or by another part of a platform; their names are
// taken as they are.
const openCategories = ["deployment", "sandbox", "computer", "usage"];
// Events of these belong to a workspace. An endpoint's own and what is counted do not.
const scopedCategories = ["project", "database", "backup", "restore"];

/** The types by what stands before their dot. */
export function eventCategories(): Record<string, string[]> {
  const byCategory = Map.groupBy(eventTypes, categoryOf);
  return Object.fromEntries(byCategory);
}

/** Categories an endpoint of one workspace may name. */
export function workspaceScopedCategories(): string[] {
  return Object.keys(eventCategories()).filter((category) => scopedCategories.includes(category));
}

/** True when no filter is given, or one of them matches. */
export function isWanted(filters: readonly string[], type: string): boolean {
  return filters.length === 0 || filters.some((filter) => matches(filter, type));
}

/** True for a filter that can match something. */
export function isFilter(text: string): boolean {
  if (!filterForm.test(text)) return false;
  return openCategories.includes(categoryOf(text)) || eventTypes.some((it) => matches(text, it));
}

/** @throws ApiError 422 for a filter of events that belong to no workspace */
export function requireScopable(filters: readonly string[]): void {
  const outside = filters.filter((filter) => ["webhook", "usage"].includes(categoryOf(filter)));
  if (outside.length === 0) return;
  const message = `events: ${outside.join(", ")} cannot be had for one workspace; leave it out.`;
  throw new ApiError(422, "EVENTS_NOT_WORKSPACE_SCOPABLE", message, {
    fields: { events: [message] },
  });
}

function categoryOf(type: string): string {
  return type.split(".")[0] ?? "";
}

// As SQLite's GLOB reads the same characters.
function matches(filter: string, type: string): boolean {
  const pattern = filter.replaceAll(".", "\\.").replaceAll("*", ".*");
  return new RegExp(`^${pattern}$`).test(type);
}
