// Looks in on each host: whether it answers, what its disk has left, which version of the protocol
// it speaks, and what happened to its programs meanwhile.
import { and, eq, inArray, isNull, lt } from "drizzle-orm";
import { raiseAgain, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import type { Incident } from "../contract/incident.ts";
import { protocolVersion } from "../contract/protocol.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import type { HostFacts } from "../core/host-port.ts";
import { allHosts } from "./find.ts";
import { hostsReady } from "./ready.ts";
import { seenOf } from "./register.ts";
import { type HostRow, host } from "./table.ts";

// An incident is told for a day: whoever looks in the morning sees what happened in the night.
const incidentMilliseconds = 24 * 3_600_000;
const nearlyFull = 0.1;
const incidentsMax = 1000;

/** One look at every host; one that does not answer is an alert until it does. */
export async function watchHosts(context: Context): Promise<void> {
  const hosts = await hostsReady(context);
  const silent = hosts.filter(({ reason }) => reason !== null);
  const ids = hosts.flatMap(({ id, reason }) => (reason === null ? [id] : []));
  await commit(context, [
    resolveAlerts(context, "host_silent", inArray(alert.subject, ids)),
    heard(context, ids),
    ...silent.flatMap(({ id, name, reason }) => [
      noteSilent(context, id, reason ?? ""),
      raiseAlert(context, {
        kind: "host_silent",
        subject: id,
        message:
          `The host ${name} does not answer (${reason}): look at its host program and its ` +
          "log; what was asked of it goes on by itself once it answers.",
        details: { name, reason },
      }),
    ]),
  ]);
  for (const row of await allHosts(context)) {
    if (ids.includes(row.id)) await lookClosely(context, row);
  }
  const past = new Date(context.now().getTime() - incidentMilliseconds);
  const isPast = lt(alert.updatedAt, past);
  await commit(context, [
    resolveAlerts(context, "server_failed", isPast),
    resolveAlerts(context, "worker_restarted", isPast),
  ]);
}

function heard(context: Context, ids: readonly string[]): Statement {
  return context.db
    .update(host)
    .set({ silentSince: null, silentReason: null })
    .where(inArray(host.id, [...ids]));
}

/** Notes that a host does not answer: nothing new is placed there meanwhile. */
export function noteSilent(context: Context, hostId: string, reason: string): Statement {
  return context.db
    .update(host)
    .set({ silentSince: context.now(), silentReason: reason })
    .where(and(eq(host.id, hostId), isNull(host.silentSince)));
}

// One host's trouble is not another's.
async function lookClosely(context: Context, row: HostRow): Promise<void> {
  try {
    const facts = await context.host.command(row.id, "status", {});
    const told = await readIncidents(context, row);
    await commit(context, [...noteFacts(context, row, facts), ...told]);
  } catch (error) {
    context.log({ level: "warning", message: messageOf(error), host: row.name });
  }
}

function noteFacts(context: Context, row: HostRow, facts: HostFacts): Statement[] {
  const { id, name } = row;
  const { identity, protocol } = facts;
  const share = facts.disk_free_bytes / Math.max(1, facts.disk_total_bytes);
  const percent = Math.floor(share * 100);
  const disk = `The disk of the host ${name} has ${percent} % left: make room, or add one.`;
  const isAnother = identity !== row.identity;
  const another =
    `At the address of the host ${name} answers another one (identity ${identity}, registered: ` +
    `${row.identity}): its disk was lost or exchanged. Bring the registered one back; nothing is ` +
    "placed there meanwhile.";
  const isOther = protocol !== protocolVersion;
  const version =
    `The host ${name} speaks version ${protocol} of the protocol and this Worker ` +
    `${protocolVersion}. They work together; upgrade the older one before the next step.`;
  return [
    context.db
      .update(host)
      .set({ ...seenOf(facts), identity: row.identity })
      .where(eq(host.id, id)),
    tell(context, "disk_nearly_full", id, share < nearlyFull, disk),
    tell(context, "protocol_differs", id, isOther, version),
    tell(context, "host_is_another", id, isAnother, another),
    ...(isAnother ? [noteSilent(context, id, "another host answers there")] : []),
  ];
}

function tell(
  context: Context,
  kind: "host_is_another" | "disk_nearly_full" | "protocol_differs",
  subject: string,
  isSo: boolean,
  message: string,
): Statement {
  return isSo
    ? raiseAlert(context, { kind, subject, message, details: {} })
    : resolveAlerts(context, kind, eq(alert.subject, subject));
}

async function readIncidents(context: Context, row: HostRow): Promise<Statement[]> {
  const { id, name, incidentSeq } = row;
  const incidentsAfter = (after_seq: number) =>
    context.host.command(id, "incidents", { after_seq, limit: incidentsMax });
  const told = await incidentsAfter(incidentSeq);
  // A host whose directory was made anew counts from the beginning.
  const isAnew = told.last_seq < incidentSeq;
  const { incidents, last_seq } = isAnew ? await incidentsAfter(0) : told;
  if (last_seq === incidentSeq) return [];
  return [
    ...incidents.map((each) => raiseAgain(context, alertOf(id, name, each))),
    context.db
      .update(host)
      .set({ incidentSeq: incidents.at(-1)?.seq ?? last_seq })
      .where(eq(host.id, id)),
  ];
}

const programs = {
  postgres: "An instance",
  transaction: "The transaction pooler",
  session: "The session pooler",
  host: "The host program",
} as const;

function alertOf(hostId: string, name: string, incident: Incident) {
  const { program, what, database, detail, at } = incident;
  const whose = database === undefined ? "" : `, that of ${database},`;
  return {
    kind: "server_failed" as const,
    subject: `${hostId}/${database ?? program}`,
    message: `${programs[program]}${whose} of the host ${name}: ${detail} (${at})`,
    details: {
      host_id: hostId,
      program,
      what,
      at,
      ...(database === undefined ? {} : { database }),
    },
  };
}
