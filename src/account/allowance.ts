// How often somebody may call. Law: one place counts, by windows of a minute; whoever serves asks
// it for several requests at a time, so that most requests wait for nobody, and remembers a "no"
// until the window ends, so that a flood costs nothing.

const windowMilliseconds = 60_000;
// A sixtieth of the limit at a time: what an isolate holds and does not use is no more than that.
const leasesInWindow = 60;
// After a failure nobody is asked for as long as this.
const openMilliseconds = 1000;
const namesMax = 10_000;

/** What one place counts of one name. Times are milliseconds since 1970. */
export interface Window {
  readonly endsAt: number;
  readonly used: number;
}

/** What is asked of it. */
export interface Wish {
  /** Requests a minute. */
  readonly limit: number;
  readonly wanted: number;
}

/** What it answers. */
export interface Lease {
  readonly granted: number;
  /** Of the window, after these. */
  readonly remaining: number;
  readonly endsAt: number;
}

/** Whether a request may go on, and what is left, as the headers say it. */
export interface Allowance {
  readonly isAllowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the window ends, 1 at least. */
  readonly resetSeconds: number;
}

/** Counts within a window; a window begins with its first request. */
export function takeFrom(
  window: Window | null,
  { limit, wanted }: Wish,
  now: number,
): { readonly window: Window; readonly lease: Lease } {
  const isOver = window === null || window.endsAt <= now;
  const { endsAt, used } = isOver ? { endsAt: now + windowMilliseconds, used: 0 } : window;
  const granted = Math.min(wanted, Math.max(0, limit - used));
  const lease = { granted, remaining: Math.max(0, limit - used - granted), endsAt };
  return { window: { endsAt, used: used + granted }, lease };
}

/** How a name's one place is asked. */
export type AskLimit = (name: string, wish: Wish) => Promise<Lease>;

interface Held {
  readonly limit: number;
  readonly endsAt: number;
  /** What the one place had left for everybody when it was asked last. */
  elsewhere: number;
  left: number;
}

const isSpent = ({ left, elsewhere }: Held) => left === 0 && elsewhere === 0;

/** What an isolate holds of the limits of those it serves. */
export interface Allowances {
  /** Counts one request. A failure to ask allows it, and is told to `onFailure`. */
  readonly spend: (name: string, limit: number) => Promise<Allowance>;
  /** The "no" that still holds for a name, if there is one. Counts nothing and asks nobody. */
  readonly refusal: (name: string) => Allowance | null;
}

/** Allowances that ask by `ask`. */
export function createAllowances(
  ask: AskLimit,
  now: () => number,
  onFailure: (error: unknown) => void,
): Allowances {
  const shelf = createShelf(now);

  const spendFrom = (held: Held): Allowance => {
    const isAllowed = held.left > 0;
    if (isAllowed) held.left--;
    return render(held, isAllowed, now());
  };

  // Whoever was given something meanwhile has told of the failure, too.
  const open = (name: string, limit: number, error: unknown): Held => {
    const present = shelf.find(name);
    if (present?.limit === limit && present.left > 0) return present;
    onFailure(error);
    const endsAt = now() + openMilliseconds;
    return shelf.add(name, limit, { granted: limit, remaining: 0, endsAt });
  };

  return {
    spend: async (name, limit) => {
      const present = shelf.find(name);
      const isUseful = present?.limit === limit && (present.left > 0 || isSpent(present));
      if (isUseful) return spendFrom(present);
      const wanted = Math.max(1, Math.floor(limit / leasesInWindow));
      try {
        const lease = await ask(name, { limit, wanted });
        // Nothing may come between a grant and its first use: it would be another's by then.
        return spendFrom(shelf.add(name, limit, lease));
      } catch (error) {
        return spendFrom(open(name, limit, error));
      }
    },
    refusal: (name) => {
      const held = shelf.find(name);
      return held !== undefined && isSpent(held) ? render(held, false, now()) : null;
    },
  };
}

/** What is held of each name, the names that were not used for longest forgotten first. */
function createShelf(now: () => number) {
  const byName = new Map<string, Held>();

  const find = (name: string): Held | undefined => {
    const held = byName.get(name);
    return held === undefined || held.endsAt <= now() ? undefined : held;
  };

  const add = (name: string, limit: number, { granted, remaining, endsAt }: Lease): Held => {
    const present = find(name);
    // What others were given while this one asked is of the same window, and stays.
    if (present?.limit === limit && present.endsAt === endsAt) {
      present.elsewhere = remaining;
      present.left += granted;
      return present;
    }
    const held = { limit, endsAt, elsewhere: remaining, left: granted };
    byName.delete(name);
    byName.set(name, held);
    const [oldest] = byName.keys();
    if (byName.size > namesMax && oldest !== undefined) byName.delete(oldest);
    return held;
  };

  return { find, add };
}

function render(held: Held, isAllowed: boolean, now: number): Allowance {
  const { limit, elsewhere, left, endsAt } = held;
  const resetSeconds = Math.max(1, Math.ceil((endsAt - now) / 1000));
  return { isAllowed, limit, remaining: isAllowed ? elsewhere + left : 0, resetSeconds };
}
