import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  HostCommandRequest,
  hostCommands,
} from "../../src/contract/command.ts";
import { HostProblem } from "./problem.ts";

/** For each command what carries it out. */
export type CommandHandlers = {
  readonly [Name in HostCommandName]: (
    input: HostCommandInput<Name>,
  ) => Promise<HostCommandReport<Name>>;
};

interface Issues {
  readonly issues: readonly { readonly path: PropertyKey[]; readonly message: string }[];
}

function invalid({ issues }: Issues): HostProblem {
  const problems = issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  return new HostProblem(422, "invalid_input", `${problems.join("; ")}.`);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new HostProblem(400, "invalid_json", "The body is not JSON.");
  }
}

async function run<Name extends HostCommandName>(
  handlers: CommandHandlers,
  name: Name,
  raw: unknown,
): Promise<unknown> {
  const input = hostCommands[name].input.safeParse(raw);
  if (!input.success) throw invalid(input.error);
  const report = await handlers[name](input.data as HostCommandInput<Name>);
  return hostCommands[name].report.parse(report);
}

/** Carries out the command in a body and resolves to its report. */
export async function dispatch(handlers: CommandHandlers, body: string): Promise<unknown> {
  const request = HostCommandRequest.safeParse(parseJson(body));
  if (!request.success) throw invalid(request.error);
  return run(handlers, request.data.command, request.data.input);
}
