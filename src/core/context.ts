import type { DrizzleD1Database } from "drizzle-orm/d1";
import type { ArchivePort } from "./archive-port.ts";
import type { CertificateKey } from "./certificate-key.ts";
import type { HostPort } from "./host-port.ts";
import type { OutboundPort } from "./outbound-port.ts";
import type { Keyring } from "./seal.ts";
import type { Trail } from "./trail.ts";

/** D1 through drizzle, without a schema object: verbs name their tables. */
type Database = DrizzleD1Database;

/** What happened, for operators: words and ids, never a secret. */
export interface LogEntry {
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly [fact: string]: string | number | boolean | null | undefined;
}

/** Everything a verb may touch beyond its arguments. Built by `workers/context.ts` and by tests. */
export interface Context {
  readonly db: Database;
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  readonly keyring: Keyring;
  /** Signs certificates of restores. */
  readonly certificateKey: CertificateKey;
  /** Days an orphan stays before it is stopped; 0 is for ever. */
  readonly orphanDays: number;
  /** Databases each host has ready for who asks next: as many as were of late, within these. */
  readonly spares: { readonly min: number; readonly max: number };
  readonly host: HostPort;
  readonly archives: ArchivePort;
  readonly outbound: OutboundPort;
  /** Asks a lane to look at its rows; carries no truth, may be lost, may come twice. */
  readonly nudge: (lane: string, delaySeconds?: number) => Promise<void>;
  /** Has lanes look at their rows at once, and is not waited for; else the same as a nudge. */
  readonly wake: (lanes: readonly string[]) => void;
  /** Runs a lane now and returns when it is idle or `budgetMilliseconds` have passed. */
  readonly drive: (lane: string, budgetMilliseconds: number) => Promise<void>;
  /** Resolves that much later; for those who follow something for a caller. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Does something small beside the request, which does not wait for it; it may be lost. */
  readonly beside: (work: () => Promise<void>) => void;
  readonly log: (entry: LogEntry) => void;
  /** Who asks for it, in the API; there is none where the system works by itself. */
  readonly trail?: Trail | undefined;
}
