import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { type AlertKind, alert, isOpen } from "./table.ts";

/** What an operator should look at. */
export interface NewAlert {
  readonly kind: AlertKind;
  /** What it is about; one alert of a kind is open for each. */
  readonly subject: string;
  /** What is wrong and what is done about it, in words; never a secret. */
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Opens an alert; one that is open already takes the new words and keeps its age. */
export function raiseAlert(context: Context, raised: NewAlert): Statement {
  const { message, details } = raised;
  return open(context, raised, { message, details });
}

/** The same for what happened: one that is open already also says how often it has by now. */
export function raiseAgain(context: Context, raised: NewAlert): Statement {
  const { message, details } = raised;
  const times = sql`coalesce(json_extract(${alert.details}, '$.times'), 1) + 1`;
  return open(context, raised, {
    message: sql`${message} || ' It happened ' || (${times}) || ' times of late.'`,
    details: sql`json_set(${JSON.stringify(details)}, '$.times', ${times})`,
  });
}

function open(
  context: Context,
  raised: NewAlert,
  changes: { readonly message: string | SQL; readonly details: NewAlert["details"] | SQL },
): Statement {
  const now = context.now();
  return context.db
    .insert(alert)
    .values({ ...raised, id: newId(context), createdAt: now, updatedAt: now })
    .onConflictDoUpdate({
      target: [alert.kind, alert.subject],
      targetWhere: isOpen,
      set: { ...changes, updatedAt: now },
    });
}

/** Resolves the open alerts of a kind for which `isGone` holds; none is no write. */
export function resolveAlerts(context: Context, kind: AlertKind, isGone: SQL): Statement {
  const now = context.now();
  return context.db
    .update(alert)
    .set({ resolvedAt: now, updatedAt: now })
    .where(and(eq(alert.kind, kind), isOpen, isGone));
}

/** The open alerts of these kinds, the oldest first, as a query for a read batch. */
export function openAlerts(context: Pick<Context, "db">, kinds: readonly AlertKind[]) {
  return context.db
    .select()
    .from(alert)
    .where(and(isOpen, inArray(alert.kind, [...kinds])))
    .orderBy(alert.seq);
}
