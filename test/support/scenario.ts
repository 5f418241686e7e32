import type { TestContext } from "./context.ts";

/** What the author of an operation supplies, so that the laws can test it. */
export interface Scenario {
  /** Sets the stage and begins the operation; the lane it stands in, not yet driven. */
  readonly begin: (test: TestContext) => Promise<{ readonly lane: string }>;
  /**
   * True when nothing is left that the operation makes, in the rows or in the host: after it was
   * unwound, and for an operation that takes something away, after it succeeded.
   */
  readonly isClean: (test: TestContext) => Promise<boolean>;
}

/** The scenario of an operation, from the file that has its name. */
export async function scenarioOf(operation: string): Promise<Scenario> {
  const name = operation.replaceAll(/[._]/g, "-");
  try {
    const module: { scenario: Scenario } = await import(`./scenario/${name}.ts`);
    return module.scenario;
  } catch (cause) {
    const file = `test/support/scenario/${name}.ts`;
    throw new Error(`${operation} needs a scenario for the laws: write ${file}.`, { cause });
  }
}
