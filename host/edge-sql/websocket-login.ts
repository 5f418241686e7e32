// The beginning of a tenant's connection in a WebSocket: read here, since the pooler takes every
// client of this program for one of the host itself.
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { SqlProblem } from "./problem.ts";
import { readOpening, refusal } from "./startup.ts";

const openingMilliseconds = 15_000;

/** Who somebody says to be. */
export interface LoginName {
  readonly user: string;
  readonly database: string;
}

/** Throws SqlProblem when somebody may not log in. */
export type AdmitLogin = (login: LoginName) => void;

/** What is there to read; rejects when nothing more comes. */
async function readSome(stream: Duplex, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const chunk: Buffer | null = stream.read();
    if (chunk !== null) return chunk;
    if (stream.readableEnded || stream.destroyed) throw new Error("The client is gone.");
    await once(stream, "readable", { signal });
  }
}

/**
 * Reads until the client has said who it is, and leaves that to be read again. Encryption it is
 * offered none: the WebSocket has it. Undefined for one that asks to cancel a query.
 * @throws SqlProblem when it may not come in; other errors when it never says.
 */
export async function meetClient(
  stream: Duplex,
  admit: AdmitLogin,
): Promise<LoginName | undefined> {
  const signal = AbortSignal.timeout(openingMilliseconds);
  let bytes = Buffer.alloc(0);
  for (;;) {
    const opening = readOpening(bytes);
    if (opening.kind === "part") {
      bytes = Buffer.concat([bytes, await readSome(stream, signal)]);
    } else if (opening.kind === "encryption") {
      stream.write("N");
      bytes = bytes.subarray(opening.bytes);
    } else if (opening.kind === "strange") {
      throw new SqlProblem("08P01", "This is not how a client of Postgres begins.");
    } else {
      if (opening.kind === "login") admit(opening);
      stream.unshift(bytes);
      return opening.kind === "login" ? opening : undefined;
    }
  }
}

/** Tells the client why, as Postgres would, and closes. */
export function turnAway(stream: Duplex, error: unknown): void {
  if (error instanceof SqlProblem) stream.end(refusal(error.code, error.message));
  else stream.destroy();
}
