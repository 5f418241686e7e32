import type { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { newId } from "../core/id.ts";
import { operation } from "./table.ts";

/** The code of an attempt that reached no host, and so began nothing there. */
export const unreached = "HOST_UNREACHED";

/** How a step ended. Anything it throws is retried, but a TerminalError, which unwinds. */
export type Outcome =
  | { readonly kind: "next"; readonly statements: readonly Statement[] }
  | { readonly kind: "goTo"; readonly step: string; readonly statements: readonly Statement[] }
  | {
      readonly kind: "waitFor";
      readonly seconds: number;
      readonly statements: readonly Statement[];
    }
  | { readonly kind: "finish"; readonly statements: readonly Statement[] };

/** Go on with the following step; the last one finishes. The statements join its batch. */
export const next = (...statements: Statement[]): Outcome => ({ kind: "next", statements });

/** Go on with a step by name. */
export const goTo = (step: string, ...statements: Statement[]): Outcome => ({
  kind: "goTo",
  step,
  statements,
});

/** Come back to the same step after `seconds`; this is no failed attempt. */
export const waitFor = (seconds: number, ...statements: Statement[]): Outcome => ({
  kind: "waitFor",
  seconds,
  statements,
});

/** The operation has succeeded. */
export const finish = (...statements: Statement[]): Outcome => ({ kind: "finish", statements });

/** What a step may see of the operation it belongs to. */
interface StepArguments<Input> {
  readonly input: Input;
  readonly operationId: string;
  /** How often this step was begun, and how the last attempt failed; null when it is not known. */
  readonly attempt: number;
  readonly lastCode: string | null;
  /** Why it unwinds; null while it goes forward. */
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** A step's effect. It runs at least once, so it looks before it acts. */
export type Do<Input> = (context: Context, step: StepArguments<Input>) => Promise<Outcome>;

/** Takes a step's effect back; what it returns joins the batch that records it. */
export type Undo<Input> = (
  context: Context,
  step: StepArguments<Input>,
) => Promise<readonly Statement[]>;

/** One step, do and undo side by side. */
export interface Step<Input> {
  readonly do: Do<Input>;
  readonly undo?: Undo<Input>;
}

/** A named list of short steps with a deadline. */
export interface OperationDefinition<Input> {
  readonly name: string;
  readonly input: z.ZodType<Input>;
  readonly deadlineMinutes: number;
  /** Attempts of one step before the operation unwinds. */
  readonly attemptsMax: number;
  /** From this step on it only goes forward: it is retried without end and no longer canceled. */
  readonly pointOfNoReturn?: string;
  readonly steps: Readonly<Record<string, Step<Input>>>;
}

/** True for an operation at a step from which it only goes forward. */
export function isPastReturn(
  { steps, pointOfNoReturn }: AnyOperation,
  row: { readonly step: string },
): boolean {
  if (pointOfNoReturn === undefined) return false;
  const names = Object.keys(steps);
  return names.indexOf(row.step) >= names.indexOf(pointOfNoReturn);
}

/** A definition whose input type is forgotten, as the registry holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the registry checks input with the schema.
export type AnyOperation = OperationDefinition<any>;

/** Every operation the runner knows, by name. */
export type Registry = ReadonlyMap<string, AnyOperation>;

/** Types an operation's definition. */
export function defineOperation<Input>(
  definition: OperationDefinition<Input>,
): OperationDefinition<Input> {
  return definition;
}

/** The registry of these operations. */
export function registryOf(...definitions: AnyOperation[]): Registry {
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

/** Whom a new operation belongs to and what it works on. */
export interface OperationSubject {
  readonly lane: string;
  readonly organizationId: string;
  readonly workspaceId: string | null;
  readonly projectId: string | null;
  readonly resourceId: string;
  readonly requestId?: string | null;
  /** Begins that much later. */
  readonly delaySeconds?: number;
}

/** A new operation: its id, and the statement that creates it, for the verb's own batch. */
export function begin<Input extends Record<string, unknown>>(
  context: Context,
  definition: OperationDefinition<Input>,
  subject: OperationSubject,
  input: Input,
): { readonly id: string; readonly statement: Statement } {
  const now = context.now();
  const { delaySeconds = 0, ...rest } = subject;
  const runAfter = new Date(now.getTime() + delaySeconds * 1000);
  const names = Object.keys(definition.steps);
  const id = newId(context);
  const statement = context.db.insert(operation).values({
    ...rest,
    id,
    kind: definition.name,
    status: "pending",
    step: names[0] ?? "",
    stepsDone: 0,
    stepsTotal: names.length,
    attempts: 0,
    input: definition.input.parse(input) as Record<string, unknown>,
    leaseToken: "",
    runAfter,
    deadlineAt: new Date(runAfter.getTime() + definition.deadlineMinutes * 60_000),
    createdAt: now,
    updatedAt: now,
  });
  return { id, statement };
}
