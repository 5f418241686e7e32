// Proof that backups can be restored, as the control plane asks for it: up to fifty databases in
// one verification, one after the other, behind all that serves. What a verification has come to is
// known by this program alone; the control plane asks the next one anew.
import type { HostCommandInput } from "../../src/contract/command.ts";
import type { VerificationReport, VerifiedDatabase } from "../../src/contract/verification.ts";
import type { CommandHandlers } from "../base/command.ts";
import { log, messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";
import { createQueue } from "../base/turn.ts";
import type { VerificationParts } from "./living.ts";
import { verifyDatabase } from "./verify.ts";

const keptMax = 20;

type Versions = NonNullable<VerificationReport["versions"]>;
type Input = HostCommandInput<"verification.start">;

interface Entry {
  report: VerificationReport;
  readonly ending: AbortController;
  /** Settles once nothing of it is left. */
  done: Promise<void>;
}

const fresh: VerificationReport = {
  state: "running",
  done: 0,
  error: null,
  versions: null,
  databases: [],
};

/** Verifies one after the other, and notes what came of it. */
async function verify(
  parts: VerificationParts,
  versions: () => Promise<Versions>,
  entry: Entry,
  { verification_id: verificationId, databases: wanted }: Input,
): Promise<void> {
  const { signal } = entry.ending;
  const databases: VerifiedDatabase[] = [];
  const programs = await versions();
  for (const [at, { database_id: databaseId, database }] of wanted.entries()) {
    signal.throwIfAborted();
    const order = { verificationId, databaseId, database, signal };
    const found = await verifyDatabase(parts, order);
    // One that was removed meanwhile has nothing to be proved.
    if (found !== undefined) databases.push(found);
    entry.report = { ...entry.report, done: at + 1 };
  }
  entry.report = { ...entry.report, state: "succeeded", versions: programs, databases };
}

/** Makes what carries out the commands of verifications. */
export function verificationHandlers(
  parts: VerificationParts,
  versions: () => Promise<Versions>,
): Pick<CommandHandlers, Extract<keyof CommandHandlers, `verification.${string}`>> {
  const entries = new Map<string, Entry>();
  const queue = createQueue(1, 1);

  async function run(entry: Entry, input: Input): Promise<void> {
    const { signal } = entry.ending;
    try {
      const leave = await queue.enter("", signal);
      await verify(parts, versions, entry, input).finally(leave);
    } catch (error) {
      if (!signal.aborted) log("error", `A verification failed: ${messageOf(error)}`);
      entry.report = { ...entry.report, state: "failed", error: messageOf(error) };
    }
  }

  /** Forgets the oldest that are over. */
  function forgetOld(): void {
    for (const [known, { report }] of [...entries].slice(0, -keptMax)) {
      if (report.state !== "running") entries.delete(known);
    }
  }

  return {
    "verification.start": async (input) => {
      const { verification_id: id } = input;
      if (entries.has(id)) return {};
      const entry: Entry = {
        report: fresh,
        ending: new AbortController(),
        done: Promise.resolve(),
      };
      entries.set(id, entry);
      forgetOld();
      entry.done = run(entry, input);
      return {};
    },
    "verification.status": async ({ verification_id: id }) => {
      const entry = entries.get(id);
      if (entry !== undefined && !entry.ending.signal.aborted) return entry.report;
      throw new HostProblem(404, "unknown_verification", `There is no verification ${id} here.`);
    },
    "verification.end": async ({ verification_id: id }) => {
      const entry = entries.get(id);
      if (entry === undefined) return {};
      entry.ending.abort(new Error("It was ended."));
      await entry.done;
      if (entries.get(id) === entry) entries.delete(id);
      return {};
    },
  };
}
