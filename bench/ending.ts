// What a bench has started, to be ended whatever becomes of the bench.

type End = () => Promise<unknown> | unknown;
const ends: End[] = [];

/** Has something ended when the figure is done, fails, takes too long or is interrupted. */
export function onEnd(end: End): void {
  ends.push(end);
}

/** Ends all of it, the newest first; what fails at that is told and stops nothing. */
export async function endAll(say: (line: string) => void): Promise<void> {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    try {
      await end();
    } catch (error) {
      say(`Something was not ended: ${error instanceof Error ? error.message : error}`);
    }
  }
}
