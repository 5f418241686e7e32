import type { Statement } from "./batch.ts";
import type { Context } from "./context.ts";

/** A thing by its noun and its id. */
export interface NamedResource {
  readonly type: string;
  readonly id: string;
}

/** What a request says of itself beyond its own words; only what is allowed is kept of it. */
export interface TrailFacts {
  readonly resource?: NamedResource | null;
  /** The thing as it was, in the words of the API. */
  readonly before?: Readonly<Record<string, unknown>>;
  /** How it ended, when it did not simply succeed. */
  readonly outcome?: Outcome;
}

/** A request that was refused, and with what; or one whose stored answer was given again. */
export type Outcome =
  | { readonly outcome: "refused"; readonly status: number; readonly code: string }
  | { readonly outcome: "replayed" };

/**
 * What the first batch of a request carries besides: the entry of who did what. So a verb that
 * commits cannot forget it, and one that is refused leaves none of its own.
 */
export interface Trail {
  readonly tell: (facts: TrailFacts) => void;
  /** What is still to be written. */
  readonly pending: () => readonly Statement[];
  /** It is. */
  readonly written: () => void;
}

/** For what a request finds to do by the way, that nobody asked for. */
export function withoutTrail(context: Context): Context {
  return { ...context, trail: undefined };
}
