// The second repository, in an object store, follows the first: what was archived there is copied,
// and each of its base backups is followed by one here. A store that is down holds up nobody; what
// it missed is copied once it is back, as far as the first repository still keeps it.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Backrest, type BaseBackup, listBackups, listWal } from "./backrest.ts";
import { messageOf } from "./log.ts";
import { storeProblem } from "./store-problem.ts";

/** How the second repository follows the first. */
export interface StoreStatus {
  /** The segment up to which it has all. */
  readonly copied_wal: string | null;
  /** Since when it lacks something, and why; both null while it is known to lack nothing. */
  readonly behind_since: string | null;
  readonly reason: string | null;
}

/** What is known of the second repository, as it was when it last answered. */
export interface Store {
  readonly backrest: Backrest;
  /** Its base backups, the oldest first. */
  backups(): readonly BaseBackup[];
  /** Names of the segments of WAL in it. */
  segments(): ReadonlySet<string>;
  /** How it follows. */
  status(): StoreStatus;
  /** Copies what was archived since the last time. @throws Error in pgBackRest's words */
  copyWal(): Promise<void>;
  /** Takes a base backup when the first repository has a newer one. @throws the same */
  backUp(): Promise<void>;
  /** Takes away what neither window needs. @throws the same */
  expire(): Promise<void>;
}

interface Known {
  backups: readonly BaseBackup[];
  readonly segments: Set<string>;
}

interface Trouble {
  readonly since: string;
  readonly reason: string | null;
}

const retryMilliseconds = 60_000;

/** What the store has, asked for once; after an error it is asked anew. */
function createLedger(backrest: Backrest) {
  // What it was when the store last answered still tells what can be had from there.
  let last: Known = { backups: [], segments: new Set() };
  let opening: Promise<Known> | undefined;
  const read = async () => {
    await backrest("stanza-create", ["--no-online"]);
    const [backups, wal] = await Promise.all([listBackups(backrest, 2), listWal(backrest)]);
    last = { backups, segments: new Set(wal.map((segment) => segment.wal)) };
    return last;
  };
  return {
    last: () => last,
    open: () => {
      opening ??= read();
      return opening;
    },
    doubt: () => {
      opening = undefined;
    },
  };
}

type Work = "wal" | "backup";

/** What does not go on, and since when; `doubt` is called after each error. */
function createTroubles(doubt: () => void) {
  const troubles = new Map<Work, Trouble>();

  function note(work: Work, reason: string | null): void {
    const since = troubles.get(work)?.since ?? new Date().toISOString();
    troubles.set(work, { since, reason });
  }

  return {
    note,
    has: (work: Work) => troubles.has(work),
    first: (): Trouble | undefined => [...troubles.values()][0],
    async attempt(work: Work, act: () => Promise<void>): Promise<void> {
      try {
        await act();
        troubles.delete(work);
      } catch (error) {
        doubt();
        const reason = storeProblem(messageOf(error));
        note(work, reason);
        throw new Error(reason);
      }
    },
  };
}

/** Has a segment of the first repository in the second as well. */
async function copyOne(local: Backrest, backrest: Backrest, transit: string, wal: string) {
  mkdirSync(transit, { recursive: true, mode: 0o700 });
  const file = join(transit, wal);
  try {
    await local("archive-get", ["--no-archive-async"], [wal, file]);
    await backrest("archive-push", [], [file]);
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Opens it; nothing is asked yet. `transit` is a directory for segments on their way,
 * `lastArchived` the newest segment of the first repository.
 */
export function openStore(
  local: Backrest,
  backrest: Backrest,
  transit: string,
  lastArchived: () => Promise<string | null>,
): Store {
  const ledger = createLedger(backrest);
  const troubles = createTroubles(ledger.doubt);
  let copied: string | null = null;
  let retryAt = 0;

  async function copyMissing(): Promise<void> {
    const newest = await lastArchived();
    if (newest === copied && !troubles.has("wal")) return;
    const [archived, { segments }] = await Promise.all([listWal(local), ledger.open()]);
    // Older ones have been expired here.
    const [first = ""] = [...segments].sort();
    const missing = archived.filter(({ wal }) => wal > first && !segments.has(wal));
    if (missing.length > 0 && !troubles.has("wal")) troubles.note("wal", null);
    for (const { wal } of missing) {
      await copyOne(local, backrest, transit, wal);
      segments.add(wal);
    }
    copied = newest;
  }

  async function followBackup(): Promise<void> {
    const newest = (await listBackups(local, 1)).at(-1);
    const store = await ledger.open();
    if (newest === undefined || (store.backups.at(-1)?.startedAt ?? 0) >= newest.stoppedAt) return;
    retryAt = Date.now() + retryMilliseconds;
    await backrest("backup", [`--type=${newest.type}`]);
    store.backups = await listBackups(backrest, 2);
    retryAt = 0;
  }

  return {
    backrest,
    backups: () => ledger.last().backups,
    segments: () => ledger.last().segments,
    status() {
      const { since = null, reason = null } = troubles.first() ?? {};
      return { copied_wal: copied, behind_since: since, reason };
    },
    copyWal: () => troubles.attempt("wal", copyMissing),
    async backUp() {
      if (Date.now() >= retryAt) await troubles.attempt("backup", followBackup);
    },
    async expire() {
      await backrest("expire");
      ledger.doubt();
    },
  };
}
