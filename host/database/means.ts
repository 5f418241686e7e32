// What verbs of a host's databases work with: its instances, poolers, repositories and records.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { noteInstance } from "../base-backup/known.ts";
import { type LaidOuts, openLaidOuts } from "../base-backup/laid-out.ts";
import { type Repository, type Retention, repositoryOf } from "../base-backup/repository.ts";
import { syncDirectory } from "../file.ts";
import type { Fleet } from "../instance/fleet.ts";
import { listInside } from "../instance/inside.ts";
import type { Keeper } from "../instance/keeper.ts";
import { createLanes, type Lanes } from "../lane.ts";
import type { Pair } from "../pooler/pair.ts";
import type { RecoverySource } from "../recovery/recover.ts";
import { isSegment } from "../wal/segment.ts";
import { noteTimeline } from "../wal/timeline.ts";
import { type Wal, walDirectory } from "../wal/wal.ts";
import type { DatabaseFiles } from "./record.ts";

/** What the databases of a host are made of. */
export interface DatabaseParts {
  readonly fleet: Fleet;
  readonly keeper: Keeper;
  readonly pair: Pair;
  readonly wal: Wal;
  readonly files: DatabaseFiles;
  readonly retention: Retention;
  /** What a database is recovered from where its own repository does not serve: the store. */
  readonly second?: ((database: string) => RecoverySource) | undefined;
  /** Told of each database that was made, and has no base backup yet. */
  readonly afterCreate?: (database: string) => void;
}

/** Binds repositories and WAL to what the keeper has. */
function createSafe({ fleet, keeper, wal, retention }: DatabaseParts) {
  const repositories = new Map<string, Repository>();
  const copies = new Map<string, LaidOuts>();
  const readers = new Map<string, number>();

  function repository(database: string): Repository {
    const known = repositories.get(database) ?? repositoryOf(fleet, database, retention);
    repositories.set(database, known);
    return known;
  }

  /** What of a database is laid out beside its repository. */
  function laidOuts(database: string): LaidOuts {
    const known = copies.get(database) ?? openLaidOuts(fleet, repository(database).directory);
    copies.set(database, known);
    return known;
  }

  /** Keeps all base backups and WAL of a database until the function it returns is called. */
  function hold(database: string): () => void {
    const count = (more: number) => readers.set(database, (readers.get(database) ?? 0) + more);
    count(1);
    return () => void count(-1);
  }

  /** Takes the WAL of an instance from now on; nobody waits for its repository to be made. */
  function follow(database: string, name: string): void {
    const box = keeper.roster.box(name);
    const server = () => (keeper.roster.has(name) ? keeper.roster.get(name).server : undefined);
    const lastServer = () => keeper.roster.lastServer(name);
    wal.follow({ database, box, repository: repository(database), server, lastServer });
  }

  /** Notes which instance a database lives in from now on, and on which timeline. */
  function noteTimelineOf(database: string, name: string): void {
    const { place } = keeper.roster.box(name);
    const newest = listInside(place.box, "data", "pg_wal").filter(isSegment).toSorted().at(-1);
    const directory = walDirectory(repository(database));
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    if (newest !== undefined) noteTimeline(directory, newest.slice(0, 8), new Date());
    noteInstance(repository(database).directory, keeper.roster.get(name).record);
  }

  /** Keeps what was backed up of a removed database of a name under another one. */
  function putAside(database: string): void {
    const { directory } = repository(database);
    if (!existsSync(directory)) return;
    const moment = new Date().toISOString().replace(/\D/g, "");
    renameSync(directory, `${directory}.${moment}`);
    syncDirectory(dirname(directory));
    // What is known of them is of that one.
    repositories.delete(database);
    copies.delete(database);
  }

  const isHeld = (database: string) => (readers.get(database) ?? 0) > 0;

  return { repository, laidOuts, hold, isHeld, follow, noteTimelineOf, putAside };
}

/** A name no instance of the host has had. */
export function instanceName(database: string): string {
  return `${database}.${randomBytes(4).toString("hex")}`;
}

/** What verbs share. */
export interface DatabaseMeans extends DatabaseParts {
  readonly safe: ReturnType<typeof createSafe>;
  /** Has what concerns one database be done one at a time: verbs exchange what it lives in. */
  readonly lane: Lanes;
}

/** Binds them. */
export function openMeans(parts: DatabaseParts): DatabaseMeans {
  return { ...parts, safe: createSafe(parts), lane: createLanes() };
}
