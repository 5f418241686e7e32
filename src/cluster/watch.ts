// Looks in on each cluster: whether it answers, what its disk has left, which version its host
// speaks, and what happened to its servers meanwhile.
import { and, eq, inArray, isNull, lt } from "drizzle-orm";
import { raiseAgain, raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import type { Incident } from "../contract/incident.ts";
import { protocolVersion } from "../contract/protocol.ts";
import { commit, type Statement } from "../core/batch.ts";
import type { ClusterFacts } from "../core/cluster-port.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allClusters } from "./find.ts";
import { clustersReady } from "./ready.ts";
import { type ClusterRow, cluster } from "./table.ts";

// An incident is told for a day: whoever looks in the morning sees what happened in the night.
const incidentMilliseconds = 24 * 3_600_000;
const nearlyFull = 0.1;

/** One look at every cluster; one that does not answer is an alert until it does. */
export async function watchClusters(context: Context): Promise<void> {
  const clusters = await clustersReady(context);
  const silent = clusters.filter(({ reason }) => reason !== null);
  const ids = clusters.flatMap(({ id, reason }) => (reason === null ? [id] : []));
  await commit(context, [
    resolveAlerts(context, "cluster_silent", inArray(alert.subject, ids)),
    heard(context, ids),
    ...silent.flatMap(({ id, name, reason }) => [
      noteSilent(context, id, reason ?? ""),
      raiseAlert(context, {
        kind: "cluster_silent",
        subject: id,
        message:
          `The cluster ${name} does not answer (${reason}): look at its host program and its ` +
          "log; what was asked of it goes on by itself once it answers.",
        details: { name, reason },
      }),
    ]),
  ]);
  for (const row of await allClusters(context)) {
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
    .update(cluster)
    .set({ silentSince: null, silentReason: null })
    .where(inArray(cluster.id, [...ids]));
}

/** Notes that a cluster does not answer: nothing new is placed there meanwhile. */
export function noteSilent(context: Context, clusterId: string, reason: string): Statement {
  return context.db
    .update(cluster)
    .set({ silentSince: context.now(), silentReason: reason })
    .where(and(eq(cluster.id, clusterId), isNull(cluster.silentSince)));
}

// One cluster's trouble is not another's.
async function lookClosely(context: Context, row: ClusterRow): Promise<void> {
  try {
    const facts = await context.cluster.facts(row.id);
    const told = await readIncidents(context, row);
    await commit(context, [...noteFacts(context, row, facts), ...told]);
  } catch (error) {
    context.log({ level: "warning", message: messageOf(error), cluster: row.name });
  }
}

function noteFacts(context: Context, row: ClusterRow, facts: ClusterFacts): Statement[] {
  const { id, name } = row;
  const { diskFreeBytes, diskTotalBytes, protocol, systemIdentifier } = facts;
  const share = diskTotalBytes === null ? 1 : diskFreeBytes / diskTotalBytes;
  const percent = Math.floor(share * 100);
  const disk = `The disk of the cluster ${name} has ${percent} % left: make room, or add one.`;
  const known = row.systemIdentifier ?? systemIdentifier;
  const isAnother = systemIdentifier !== null && systemIdentifier !== known;
  const another =
    `The host of the cluster ${name} answers with another Postgres (system identifier ` +
    `${systemIdentifier}, registered: ${known}): its disk was lost or exchanged. Bring the ` +
    "registered one back; nothing is repaired or placed there meanwhile.";
  const isOther = protocol !== null && protocol !== protocolVersion;
  const version =
    `The host of the cluster ${name} speaks version ${protocol} of the protocol and this Worker ` +
    `${protocolVersion}. They work together; upgrade the older one before the next step.`;
  return [
    context.db
      .update(cluster)
      .set({
        ...{ diskFreeBytes, diskTotalBytes, protocol },
        systemIdentifier: known,
      })
      .where(eq(cluster.id, id)),
    tell(context, "disk_nearly_full", id, share < nearlyFull, disk),
    tell(context, "protocol_differs", id, isOther, version),
    tell(context, "cluster_is_another", id, isAnother, another),
    ...(isAnother ? [noteSilent(context, id, "another Postgres answers there")] : []),
  ];
}

function tell(
  context: Context,
  kind: "cluster_is_another" | "disk_nearly_full" | "protocol_differs",
  subject: string,
  isSo: boolean,
  message: string,
): Statement {
  return isSo
    ? raiseAlert(context, { kind, subject, message, details: {} })
    : resolveAlerts(context, kind, eq(alert.subject, subject));
}

async function readIncidents(context: Context, row: ClusterRow): Promise<Statement[]> {
  const { id, name, incidentSeq } = row;
  const told = await context.cluster.incidents(id, incidentSeq);
  // A host whose directory was made anew counts from the beginning.
  const isAnew = told.last_seq < incidentSeq;
  const { incidents, last_seq } = isAnew ? await context.cluster.incidents(id, 0) : told;
  if (last_seq === incidentSeq) return [];
  return [
    ...incidents.map((each) => raiseAgain(context, alertOf(id, name, each))),
    context.db
      .update(cluster)
      .set({ incidentSeq: incidents.at(-1)?.seq ?? last_seq })
      .where(eq(cluster.id, id)),
  ];
}

const programs = {
  postgres: "Postgres",
  transaction: "The transaction pooler",
  session: "The session pooler",
  host: "The host program",
} as const;

function alertOf(clusterId: string, name: string, { program, what, detail, at }: Incident) {
  return {
    kind: "server_failed" as const,
    subject: `${clusterId}/${program}`,
    message: `${programs[program]} of the cluster ${name}: ${detail} (${at})`,
    details: { cluster_id: clusterId, program, what, at },
  };
}
