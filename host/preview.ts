// What was recovered, open for reading as it is: one login reaches it through both poolers, with
// the memory and the connections of the database it was.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { PreviewRequest } from "../src/contract/preview.ts";
import { createBackends } from "./backend.ts";
import type { DatabaseFile } from "./database-file.ts";
import type { ScratchTenant } from "./dump.ts";
import { readIfExists } from "./file.ts";
import { createMemoryLimits } from "./memory.ts";
import { findScratch, type Scratch, scratchPort, scratchSession } from "./scratch.ts";
import type { Session } from "./session.ts";
import type { Weights } from "./weight.ts";

/** The previews of one cluster. */
export interface Previews {
  /** Resolves when both poolers lead its login to the scratch cluster. Can be done twice. */
  open(id: string, scratch: Scratch, tenant: ScratchTenant, wanted: PreviewRequest): Promise<void>;
  /** Ends its clients' connections; nothing when there is none. */
  close(id: string): Promise<void>;
  /** Closes those of recoveries that are not among these. */
  keepOnly(ids: ReadonlySet<string>): Promise<void>;
  /** Gives every new backend of a preview the limit of its database. */
  limitMemory(): Promise<void>;
}

interface Limiter {
  readonly session: Session;
  readonly look: () => Promise<void>;
}

// Whoever only looks needs no longer; what is forgotten open goes.
const settings = `
statement_timeout = '5min'
idle_in_transaction_session_timeout = '5min'
`;

async function limitTime(scratch: Scratch, session: Session): Promise<void> {
  const file = join(scratch.files.data, "postgresql.auto.conf");
  if (readIfExists(file)?.includes(settings) === true) return;
  appendFileSync(file, settings);
  await session.query("select pg_reload_conf()");
}

function createLimiter(
  scratch: Scratch,
  database: string,
  bytes: number,
  weights: Weights,
): Limiter {
  const session = scratchSession(scratch, "postgres");
  const { look } = createMemoryLimits({
    file: { all: new Map([[database, { bytes_per_backend: bytes }]]) },
    backends: createBackends(session),
    postmaster: () => findScratch(scratch),
    // It shares what the database has that it was.
    weights,
  });
  return { session, look };
}

/** `file` is what the poolers read. */
export function createPreviews(
  file: Pick<DatabaseFile, "previews" | "changePreview">,
  weights: Weights,
): Previews {
  const limiters = new Map<string, Limiter>();

  async function closeWhere(isClosed: (recoveryId: string) => boolean): Promise<void> {
    const names = [...file.previews].filter(([, { recovery_id: id }]) => isClosed(id));
    await Promise.all(names.map(([name]) => file.changePreview(name, undefined)));
  }

  return {
    async open(id, scratch, { database, login: user }, wanted) {
      const { name, login, verifier, settings } = wanted;
      const { transaction, session, allowed_addresses, bytes_per_backend } = settings;
      const limiter =
        limiters.get(id) ?? createLimiter(scratch, database, bytes_per_backend, weights);
      limiters.set(id, limiter);
      await limitTime(scratch, limiter.session);
      await limiter.look();
      const { directory } = scratch.files;
      const at = { recovery_id: id, directory, port: scratchPort, database, user };
      const limits = { transaction, session, allowed_addresses };
      await file.changePreview(name, { ...at, login, verifier, ...limits });
    },
    async close(id) {
      const limiter = limiters.get(id);
      limiters.delete(id);
      await closeWhere((each) => each === id);
      await limiter?.session.close();
    },
    keepOnly: (ids) => closeWhere((id) => !ids.has(id)),
    async limitMemory() {
      await Promise.allSettled([...limiters.values()].map(({ look }) => look()));
    },
  };
}
