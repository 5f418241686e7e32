// Says how far a figure is and how long it still takes, at least every ten seconds, on stderr:
// stdout holds the report alone.

const everyMilliseconds = 10_000;

/** A figure's parts in order, with about the seconds each takes on two cores. */
export type Parts = Readonly<Record<string, number>>;

/** Follows a figure through its parts. */
export interface Progress {
  /** Runs a part; `tell` says how many of its steps are done. */
  part<Result>(
    name: string,
    work: (tell: (done: number, of: number) => void) => Promise<Result>,
  ): Promise<Result>;
  end(): void;
}

function clock(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Begins to follow; `say` writes a line. */
export function followProgress(
  parts: Parts,
  say: (line: string) => void,
  now: () => number = () => performance.now(),
): Progress {
  const startedAt = now();
  const all = Object.values(parts).reduce((sum, seconds) => sum + seconds, 0);
  let before = 0;
  let current = { name: "starting", seconds: 0, share: 0, step: "" };

  function tell(): void {
    const done = (before + current.seconds * current.share) / all;
    const took = now() - startedAt;
    // Until a tenth is done, what it took elsewhere says more.
    const left = done > 0.1 ? (took * (1 - done)) / done : Math.max(0, all * 1000 - took);
    const percent = Math.floor(done * 100);
    say(`[${clock(took)}] ${current.name}${current.step}: ${percent} %, about ${clock(left)} left`);
  }

  const timer = setInterval(tell, everyMilliseconds).unref();
  return {
    async part(name, work) {
      const seconds = parts[name];
      if (seconds === undefined) throw new Error(`The figure has no part ${name}.`);
      current = { name, seconds, share: 0, step: "" };
      tell();
      const result = await work((done, of) => {
        current = { ...current, share: done / of, step: ` (${done} of ${of})` };
      });
      before += seconds;
      current = { name, seconds: 0, share: 0, step: "" };
      return result;
    },
    end: () => clearInterval(timer),
  };
}
