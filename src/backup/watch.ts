// What hosts say is not as it should be with the backups of their databases: an alert for each, and
// an event for whoever owns the database, when it begins and when it is over.
import { and, eq, inArray } from "drizzle-orm";
import { type NewAlert, openAlerts, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertRow, alert } from "../alert/table.ts";
import type { BackupProblem } from "../contract/backup.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type DatabaseRow, database } from "../database/table.ts";
import { valuesMax } from "../database/transition.ts";
import { allHosts } from "../host/find.ts";
import type { HostRow } from "../host/table.ts";
import { recordEvent } from "../webhook/event.ts";
import { isOfRecovery } from "./damage.ts";

// A batch of D1 takes some hundred statements: what is more is told a minute later.
const changesMax = 30;

const kinds = ["archive_late", "backup_failed", "backup_damaged"] as const;

const kindOf = {
  wal_late: "archive_late",
  store_late: "archive_late",
  backup_late: "backup_failed",
  backup_failed: "backup_failed",
  damaged: "backup_damaged",
} as const satisfies Record<BackupProblem["kind"], (typeof kinds)[number]>;

/** Raises what hosts say is wrong with backups, and resolves what they no longer say. */
export async function watchBackups(context: Context): Promise<void> {
  const [open, hosts] = await context.db.batch([openAlerts(context, kinds), allHosts(context)]);
  for (const host of hosts) {
    // A host that does not answer is an alert of its own.
    const report = await context.host.command(host.id, "backup.problems", {}).catch(() => null);
    if (report === null) continue;
    const own = open.filter((each) => each.details.host_id === host.id && !isOfRecovery(each));
    await follow(context, host, report.problems, own);
  }
}

/** A problem as an alert, and the database it is about, when a row names it. */
interface Told {
  readonly raised: NewAlert;
  readonly problem: BackupProblem["kind"];
  readonly row: DatabaseRow | undefined;
}

async function follow(
  context: Context,
  host: HostRow,
  problems: readonly BackupProblem[],
  open: readonly AlertRow[],
): Promise<void> {
  if (problems.length === 0 && open.length === 0) return;
  const told = await tell(context, host, problems);
  const isSame = (one: AlertRow, { raised }: Told) =>
    one.kind === raised.kind && one.subject === raised.subject;
  const raised = told.filter(
    (each) => !open.some((one) => isSame(one, each) && one.message === each.raised.message),
  );
  const over = open.filter((one) => !told.some((each) => isSame(one, each)));
  const isNew = (each: Told) => !open.some((one) => isSame(one, each));
  const rows = await rowsOf(context, over);
  await commit(context, [
    ...raised
      .slice(0, changesMax)
      .flatMap((each) => [
        raiseAlert(context, each.raised),
        ...(isNew(each) ? begun(context, each) : []),
      ]),
    ...over.slice(0, changesMax).flatMap((one) => resolve(context, one, rows)),
  ]);
}

// One store for all: that it is late is told once, by the host.
async function tell(
  context: Context,
  host: HostRow,
  problems: readonly BackupProblem[],
): Promise<Told[]> {
  const late = problems.filter(({ kind }) => kind === "store_late");
  const own = problems.filter(({ kind }) => kind !== "store_late");
  const rows = await rowsNamed(context, host.id, [...new Set(own.map((each) => each.database))]);
  const byAlert = new Map<string, Told>();
  for (const each of own) {
    const told = ofDatabase(host, each, rows.get(each.database));
    const key = `${told.raised.kind} ${told.raised.subject}`;
    if (!byAlert.has(key)) byAlert.set(key, told);
  }
  return [...byAlert.values(), ...(late.length === 0 ? [] : [ofStore(host, late)])];
}

const words = {
  wal_late: "is not archived: what is written since cannot be recovered yet",
  backup_late: "has no newer base backup: what was written since takes longer to restore",
  backup_failed: "could not be backed up; its host tries again by itself",
  damaged: "has a damaged backup, which no restore can use: take a full base backup",
} as const;

function ofDatabase(
  host: HostRow,
  { database: name, kind, since, detail }: BackupProblem,
  row: DatabaseRow | undefined,
): Told {
  const what = kind === "store_late" ? "" : words[kind];
  const which = `The database ${row?.id ?? name} of the host ${host.name}`;
  const message = `${which} ${what}, since ${since}. ${detail}`;
  const details = { host_id: host.id, database: name, problem: kind, since, detail };
  const subject = row?.id ?? `${host.id}/${name}`;
  return { raised: { kind: kindOf[kind], subject, message, details }, problem: kind, row };
}

function ofStore(host: HostRow, late: readonly BackupProblem[]): Told {
  const since = late.map((each) => each.since).sort()[0] ?? "";
  const detail = late[0]?.detail ?? "";
  const message =
    `The store of the host ${host.name} lacks something of ${late.length} databases since ` +
    `${since}. ${detail} Restores use what is beside the instances meanwhile.`;
  const details = { host_id: host.id, databases: late.length, problem: "store_late", since };
  const raised = { kind: kindOf.store_late, subject: `${host.id}/store`, message, details };
  return { raised, problem: "store_late", row: undefined };
}

function begun(context: Context, { raised, problem, row }: Told): Statement[] {
  if (row === undefined || row.state === "purged") return [];
  const { since, detail } = raised.details;
  const data = { problem, since, detail };
  return [recordEvent(context, "database.backup_problem", row, { data })];
}

function resolve(context: Context, one: AlertRow, rows: readonly DatabaseRow[]): Statement[] {
  const row = rows.find(({ id }) => id === one.subject);
  const data = { problem: one.details.problem };
  return [
    resolveAlerts(
      context,
      kinds.find((kind) => kind === one.kind) ?? kinds[0],
      eq(alert.id, one.id),
    ),
    ...(row === undefined || row.state === "purged"
      ? []
      : [recordEvent(context, "database.backup_resolved", row, { data })]),
  ];
}

function rowsOf(context: Context, over: readonly AlertRow[]): Promise<DatabaseRow[]> {
  const ids = over.slice(0, changesMax).map(({ subject }) => subject);
  return context.db.select().from(database).where(inArray(database.id, ids));
}

async function rowsNamed(context: Context, hostId: string, names: readonly string[]) {
  const rows: DatabaseRow[] = [];
  for (let at = 0; at < names.length; at += valuesMax) {
    const some = names.slice(at, at + valuesMax);
    const isNamed = and(eq(database.hostId, hostId), inArray(database.databaseName, some));
    rows.push(...(await context.db.select().from(database).where(isNamed)));
  }
  return new Map(rows.map((row) => [row.databaseName, row]));
}
