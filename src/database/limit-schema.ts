import { z } from "@hono/zod-openapi";
import type { OrganizationRow } from "../account/organization.ts";
import { wholeNumber } from "../core/schema.ts";
import type { LimitOverrides } from "./size.ts";

const megabyte = 1024 ** 2;
const storageMegabytesMax = 64 * 1024 ** 2;

/** The limits a plan or an operator may give; a number that is left out, or null, is another's. */
export const LimitFields = z.strictObject({
  storage_mb: wholeNumber(storageMegabytesMax).nullish(),
  storage_mb_max: wholeNumber(storageMegabytesMax).nullish(),
  memory_mb: wholeNumber(1024 ** 2).nullish(),
  connections_max: wholeNumber(20_000).nullish(),
  pool_size: wholeNumber(500).nullish(),
  session_connections_max: wholeNumber(500).nullish(),
  temporary_mb_max: wholeNumber(storageMegabytesMax).nullish(),
});

type Fields = z.infer<typeof LimitFields>;

const columns: Record<
  keyof Fields,
  { readonly name: keyof LimitOverrides; readonly unit: number }
> = {
  storage_mb: { name: "storageBytes", unit: megabyte },
  storage_mb_max: { name: "storageBytesMax", unit: megabyte },
  memory_mb: { name: "memoryBytes", unit: megabyte },
  connections_max: { name: "connectionsMax", unit: 1 },
  pool_size: { name: "poolSize", unit: 1 },
  temporary_mb_max: { name: "temporaryBytesMax", unit: megabyte },
  session_connections_max: { name: "sessionConnectionsMax", unit: 1 },
};

/** The limits of a body, over those there were: null takes one away, undefined leaves it. */
export function limitsFrom(fields: Fields, before: LimitOverrides = {}): Record<string, number> {
  const limits: Record<string, number> = { ...before };
  for (const [field, { name, unit }] of Object.entries(columns)) {
    const value = fields[field as keyof Fields];
    if (value === null) delete limits[name];
    else if (value !== undefined) limits[name] = value * unit;
  }
  return limits;
}

function fieldsOf(limits: Record<string, number>): Fields {
  const entries = Object.entries(columns).flatMap(([field, { name, unit }]) => {
    const value = limits[name];
    return value === undefined ? [] : [[field, value / unit]];
  });
  return Object.fromEntries(entries);
}

/** An organization as an operator sees it. */
export const Organization = z
  .object({
    id: z.string(),
    name: z.string(),
    slug: z.string(),
    projects_max: z.int(),
    projects_count: z.int(),
    plan: z.record(z.string(), LimitFields),
  })
  .openapi("Organization");

/** Renders a row. */
export function renderOrganization(row: OrganizationRow): z.infer<typeof Organization> {
  const plan = Object.entries(row.planLimits).map(([size, limits]) => [size, fieldsOf(limits)]);
  return {
    id: row.id,
    name: row.name,
    slug: row.slug,
    projects_max: row.projectsMax,
    projects_count: row.projectsCount,
    plan: Object.fromEntries(plan),
  };
}
