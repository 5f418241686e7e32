import { Client, type ClientConfig } from "pg";
import type { HostCommandInput } from "../../src/contract/command.ts";
import { messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";

/** How clients get to the pooler that shares connections: where, and how TLS is to be spoken. */
export interface ProbeWays {
  readonly address: ClientConfig;
  readonly socket: ClientConfig;
}

const answerMilliseconds = 20_000;

/**
 * Runs a statement as a client does, with the very password.
 * @throws HostProblem 409 with what it was told instead
 */
export async function probe(
  ways: ProbeWays,
  { login, by }: HostCommandInput<"database.probe">,
): Promise<void> {
  const client = new Client({
    ...ways[by],
    ...login,
    connectionTimeoutMillis: answerMilliseconds,
    query_timeout: answerMilliseconds,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT 1");
  } catch (error) {
    throw new HostProblem(
      409,
      "no_answer",
      `${login.database} does not answer: ${messageOf(error)}`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
