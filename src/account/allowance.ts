// How often somebody may call: a bucket of tokens for each name, one for each request, filled at
// the limit's rate. Law: one place counts; whoever serves asks it for several tokens at a time, so
// that most requests wait for nobody, and remembers a "no" until there is a token again, so that a
// flood costs nothing.

const minuteMilliseconds = 60_000;
// A sixtieth of the limit at a time: what an isolate holds and does not use is no more than that.
const leasesInBucket = 60;
// What it does not use in so long is nobody's.
const leaseMilliseconds = 10_000;
// After a failure nobody is asked for as long as this.
const openMilliseconds = 1000;
const namesMax = 10_000;

/** What one place counts of one name. Times are milliseconds since 1970. */
export interface Bucket {
  /** Tokens that were taken and are not filled up yet. */
  readonly used: number;
  /** When that was so. */
  readonly at: number;
}

/** What is asked of it. */
export interface Wish {
  /** Requests a minute; also how many tokens a full bucket has. */
  readonly limit: number;
  readonly wanted: number;
}

/** What it answers. */
export interface Lease {
  readonly granted: number;
  /** Whole tokens in the bucket after these. */
  readonly remaining: number;
  /** When the next token is there; a time that has passed while there are some. */
  readonly nextAt: number;
  /** When it is full again if nobody takes any. */
  readonly fullAt: number;
}

/** Whether a request may go on, and what is left, as the headers say it. */
export interface Allowance {
  readonly isAllowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until all of the limit is there again, 1 at least. */
  readonly resetSeconds: number;
  /** Seconds until the next request may come, 1 at least. */
  readonly retrySeconds: number;
}

/** Takes tokens out of a bucket; null is one that nobody has taken from, and so is full. */
export function takeFrom(
  bucket: Bucket | null,
  { limit, wanted }: Wish,
  now: number,
): { readonly bucket: Bucket; readonly lease: Lease } {
  const perMillisecond = limit / minuteMilliseconds;
  const { used: before, at } = bucket ?? { used: 0, at: now };
  const left = Math.max(0, before - Math.max(0, now - at) * perMillisecond);
  const granted = Math.min(wanted, Math.max(0, Math.floor(limit - left)));
  const used = left + granted;
  const tokens = limit - used;
  const after = (missing: number) => now + Math.ceil(Math.max(0, missing) / perMillisecond);
  const lease = {
    granted,
    remaining: Math.max(0, Math.floor(tokens)),
    nextAt: after(1 - tokens),
    fullAt: after(used),
  };
  return { bucket: { used, at: now }, lease };
}

/** How a name's one place is asked. */
export type AskLimit = (name: string, wish: Wish) => Promise<Lease>;

interface Held {
  readonly limit: number;
  /** Until when this may be believed. */
  endsAt: number;
  nextAt: number;
  fullAt: number;
  /** What the one place had left for everybody when it was asked last. */
  elsewhere: number;
  left: number;
}

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
    const lease = { granted: limit, remaining: 0, nextAt: endsAt, fullAt: endsAt };
    return shelf.add(name, limit, lease, endsAt);
  };

  return {
    spend: async (name, limit) => {
      const present = shelf.find(name);
      if (present?.limit === limit && (present.left > 0 || isSpent(present, now()))) {
        return spendFrom(present);
      }
      const wanted = Math.max(1, Math.floor(limit / leasesInBucket));
      try {
        const lease = await ask(name, { limit, wanted });
        // Nothing may come between a grant and its first use: it would be another's by then.
        return spendFrom(shelf.add(name, limit, lease, now() + leaseMilliseconds));
      } catch (error) {
        return spendFrom(open(name, limit, error));
      }
    },
    refusal: (name) => {
      const held = shelf.find(name);
      return held !== undefined && isSpent(held, now()) ? render(held, false, now()) : null;
    },
  };
}

function isSpent({ left, elsewhere, nextAt }: Held, now: number): boolean {
  return left === 0 && elsewhere === 0 && nextAt > now;
}

/** What is held of each name, the names that were not used for longest forgotten first. */
function createShelf(now: () => number) {
  const byName = new Map<string, Held>();

  const find = (name: string): Held | undefined => {
    const held = byName.get(name);
    return held === undefined || held.endsAt <= now() ? undefined : held;
  };

  const add = (name: string, limit: number, lease: Lease, endsAt: number): Held => {
    const { granted, remaining: elsewhere, nextAt, fullAt } = lease;
    const present = find(name);
    if (present?.limit === limit) {
      const left = present.left + granted;
      return Object.assign(present, { elsewhere, nextAt, fullAt, endsAt, left });
    }
    const held = { limit, endsAt, elsewhere, nextAt, fullAt, left: granted };
    byName.delete(name);
    byName.set(name, held);
    const [oldest] = byName.keys();
    if (byName.size > namesMax && oldest !== undefined) byName.delete(oldest);
    return held;
  };

  return { find, add };
}

function render(held: Held, isAllowed: boolean, now: number): Allowance {
  const { limit, elsewhere, left, nextAt, fullAt } = held;
  const secondsUntil = (at: number) => Math.max(1, Math.ceil((at - now) / 1000));
  return {
    isAllowed,
    limit,
    remaining: isAllowed ? elsewhere + left : 0,
    resetSeconds: secondsUntil(fullAt),
    retrySeconds: secondsUntil(nextAt),
  };
}
