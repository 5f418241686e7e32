// What tenants, and strangers who have yet to log in, may have of this program at its HTTP and
// WebSocket doors: each database and each address has a share, and nobody can take all of it.
import { HostProblem } from "../base/problem.ts";

const megabyte = 1024 ** 2;

/** Whose share something comes from. */
export interface Holding {
  readonly database: string;
  /** The other end of the TCP connection. */
  readonly address: string | undefined;
}

/** How many there may be at once. */
export interface Places {
  readonly all: number;
  readonly perDatabase: number;
  readonly perAddress: number;
}

/** Bounds of everybody together and of each. */
export interface ShareLimits {
  /** Bytes of requests and answers that are held in memory. */
  readonly bytes: Places;
  /** Held whatever the others hold: enough for a query of an app. */
  readonly guaranteedBytes: number;
  /** Who has not shown a password yet. */
  readonly strangers: Omit<Places, "perDatabase">;
  /** WebSockets and requests of tenants. */
  readonly guests: Places;
}

/** A host program with all of this in use stays below 300 MB. */
const defaultShareLimits: ShareLimits = {
  bytes: { all: 48 * megabyte, perDatabase: 24 * megabyte, perAddress: 40 * megabyte },
  guaranteedBytes: megabyte,
  strangers: { all: 3000, perAddress: 1000 },
  guests: { all: 5000, perDatabase: 2500, perAddress: 4000 },
};

/** Counts by name. */
function createTally() {
  const counts = new Map<string, number>();
  return {
    of: (name: string) => counts.get(name) ?? 0,
    add: (name: string, change: number) => {
      const left = (counts.get(name) ?? 0) + change;
      if (left > 0) counts.set(name, left);
      else counts.delete(name);
    },
  };
}

/** Counts all, and those of each database and address. */
function createCount() {
  const [databases, addresses] = [createTally(), createTally()];
  let all = 0;
  return {
    add({ database, address = "" }: Holding, change: number): void {
      all += change;
      databases.add(database, change);
      addresses.add(address, change);
    },
    /** True when it is more than the limits, or would be with `more`. */
    isOver({ database, address = "" }: Holding, limits: Places, more = 0): boolean {
      if (databases.of(database) + more > limits.perDatabase) return true;
      return addresses.of(address) + more > limits.perAddress || all + more > limits.all;
    },
    ofDatabase: databases.of,
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

/** Opens the shares of a host program. */
export function createShares(limits: ShareLimits = defaultShareLimits) {
  const [bytes, guests, strangers] = [createCount(), createCount(), createCount()];
  const anyDatabase = { perDatabase: Number.POSITIVE_INFINITY };

  function enter(count: ReturnType<typeof createCount>, who: Holding, places: Places) {
    if (count.isOver(who, places, 1)) {
      const message = "Too many are connected at once from here: end some, and try again.";
      throw new HostProblem(429, "too_many_connections", message);
    }
    count.add(who, 1);
    return once(() => count.add(who, -1));
  }

  return {
    /** Takes a place until what it returns is called. @throws HostProblem 429 for none left */
    enterAsStranger: (address: string | undefined) =>
      enter(strangers, { database: "", address }, { ...limits.strangers, ...anyDatabase }),
    /** The same for who has shown a password. */
    enterAsGuest: (who: Holding) => enter(guests, who, limits.guests),
    /** Counts the bytes that one of them holds. */
    holderOf(who: Holding) {
      let own = 0;
      const add = (change: number) => {
        own += change;
        bytes.add(who, change);
      };
      return {
        add,
        /** Sets what it holds now. */
        set: (now: number) => add(now - own),
        isOver: () =>
          bytes.ofDatabase(who.database) > limits.guaranteedBytes &&
          bytes.isOver(who, limits.bytes),
        release: () => add(-own),
      };
    },
  };
}
export type Shares = ReturnType<typeof createShares>;
/** What one request or connection holds. */
export type Holder = ReturnType<Shares["holderOf"]>;
