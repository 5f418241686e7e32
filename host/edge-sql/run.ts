// Carries out what one request asks for on one connection.

import type { Rounds } from "../base/round.ts";
import { createAnswer } from "./answer.ts";
import { largeBytes, rowBytesMin } from "./bound.ts";
import type { RowSink, SqlConnection } from "./connection.ts";
import { SqlProblem } from "./problem.ts";
import type { SqlRequest } from "./request.ts";
import type { Holder } from "./share.ts";

// After a cancel Postgres answers at once; a pooler that has no backend for it may not.
const cancelMilliseconds = 2000;

/** How much one answer may be, and who counts it. */
export interface AnswerBounds {
  readonly answerBytesMax: number;
  readonly holder: Holder;
  /** Where large answers take turns. */
  readonly rounds: Rounds;
}

/** An answer that aborts the work on it when it grows too long. */
function boundedAnswer(
  isArrayMode: boolean,
  controller: AbortController,
  { answerBytesMax, holder, rounds }: AnswerBounds,
  connection: SqlConnection,
) {
  let [received, written, rows] = [0, 0, 0];
  const refuse = (code: string, message: string) =>
    controller.abort(new SqlProblem(code, `${message}: ask for less at once.`));
  const check = () => {
    if (Math.max(received, written, rows * rowBytesMin) > answerBytesMax) {
      const most = `${answerBytesMax} bytes and ${answerBytesMax / rowBytesMin} rows`;
      refuse("54000", `Over HTTP an answer may have ${most}`);
    } else if (holder.isOver()) {
      refuse("53200", "Too much is being answered over HTTP");
    }
  };
  const answer = createAnswer(isArrayMode, (bytes) => {
    written += bytes;
    holder.add(bytes);
    check();
  });
  const sink: RowSink = {
    addRow: (fields, row) => {
      if (controller.signal.aborted) return;
      rows++;
      answer.addRow(fields, row);
    },
    // Also of what is no row, or is not whole yet.
    onBytes: (bytes) => {
      received += bytes;
      check();
      if (received <= largeBytes || controller.signal.aborted) return;
      connection.pause();
      rounds.enter(() => {
        if (!controller.signal.aborted) connection.resume();
      });
    },
  };
  return { answer, sink };
}

const nowhere: RowSink = { addRow: () => undefined, onBytes: () => undefined };

/** Runs all statements; the answer in pieces, or an error of the first that failed. */
async function carryOut(
  connection: SqlConnection,
  { begin, statements, isArrayMode }: SqlRequest,
  controller: AbortController,
  bounds: AnswerBounds,
): Promise<readonly Buffer[]> {
  const { answer, sink } = boundedAnswer(isArrayMode, controller, bounds, connection);
  const say = (query: string) => connection.run({ query, params: [] }, nowhere);
  if (begin !== null) await say(begin);
  for (const statement of statements) {
    const outcome = await connection.run(statement, sink);
    // Rows that came after the signal are not in the answer.
    controller.signal.throwIfAborted();
    answer.endResult(outcome);
  }
  if (begin !== null) await say("COMMIT");
  return answer.end(begin !== null);
}

/**
 * Carries out a request; the answer in pieces. Has Postgres stop when the controller aborts, and
 * aborts it when the answer grows too long.
 */
export async function runRequest(
  connection: SqlConnection,
  request: SqlRequest,
  controller: AbortController,
  bounds: AnswerBounds,
): Promise<readonly Buffer[]> {
  const { signal } = controller;
  let deadline: NodeJS.Timeout | undefined;
  const stop = () => {
    // What still comes would be read for nobody.
    connection.pause();
    connection.cancel(() => connection.destroy());
    deadline = setTimeout(() => connection.destroy(), cancelMilliseconds);
  };
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await carryOut(connection, request, controller, bounds);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", stop);
    // A cancel on its way could meet the next request.
    if (signal.aborted) connection.destroy();
    // Ends what a statement or a failed batch has left open.
    else if (!connection.isClean()) await rollBack(connection);
  }
}

async function rollBack(connection: SqlConnection): Promise<void> {
  await connection.run({ query: "ROLLBACK", params: [] }, nowhere).catch(() => undefined);
}
