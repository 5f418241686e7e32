/** The p-th percentile (0 to 100) of some numbers, by the nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The median. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Milliseconds `work` took, with what it returned. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly milliseconds: number; readonly result: Result }> {
  const start = performance.now();
  const result = await work();
  return { milliseconds: performance.now() - start, result };
}

/** Runs `count` pieces of work, `concurrency` at a time; how many were done per second. */
export async function rateOf(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  let started = 0;
  const worker = async () => {
    while (started < count) await work(started++);
  };
  const { milliseconds } = await timed(() =>
    Promise.all(Array.from({ length: concurrency }, worker)),
  );
  return (count / milliseconds) * 1000;
}
