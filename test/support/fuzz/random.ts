import { createRandom } from "../source.ts";

/** Choices that a seed repeats. */
export interface Random {
  /** A whole number from 0 up to, and without, `below`. */
  readonly below: (below: number) => number;
  readonly pick: <Value>(values: readonly Value[]) => Value;
  readonly bytes: (length: number) => Buffer;
  /** True once in so many times. */
  readonly oneIn: (times: number) => boolean;
}

/** Makes choices of a seed. */
export function createChooser(seed: number): Random {
  const source = createRandom(seed);
  const below = (limit: number) => {
    const [a = 0, b = 0, c = 0] = source(3);
    return ((a * 256 + b) * 256 + c) % limit;
  };
  return {
    below,
    pick: (values) => {
      const value = values[below(values.length)];
      if (value === undefined) throw new Error("There is nothing to pick from.");
      return value;
    },
    bytes: (length) => Buffer.from(source(length)),
    oneIn: (times) => below(times) === 0,
  };
}
