// What HTTP clients may have of this program, whatever the pooler would give them.

const megabyte = 1024 ** 2;

/** Bounds of /sql. */
export interface SqlBounds {
  /** Of one request, and of one answer; beyond that is what TCP is for. */
  readonly bodyBytesMax: number;
  readonly answerBytesMax: number;
  /** Of all requests and answers that are held at a time: of one database, and in all. */
  readonly databaseBytesMax: number;
  readonly bytesMax: number;
  /** From the head of a request to its answer; a connection that long held is worth a session. */
  readonly requestMilliseconds: number;
  /** In all; a login's own bounds are the pool's. */
  readonly requestsMax: number;
  readonly waitingMax: number;
  readonly idleMilliseconds: number;
  readonly ageMilliseconds: number;
}

/** Far from what one host program holds, and enough for hundreds of clients at once. */
export const defaultSqlBounds: SqlBounds = {
  bodyBytesMax: 10 * megabyte,
  answerBytesMax: 64 * megabyte,
  databaseBytesMax: 128 * megabyte,
  bytesMax: 512 * megabyte,
  requestMilliseconds: 30_000,
  requestsMax: 5000,
  waitingMax: 500,
  idleMilliseconds: 5000,
  ageMilliseconds: 60_000,
};

/** Counts what is held in memory for each database; its holders say when it is too much. */
export function createBudget({ databaseBytesMax, bytesMax }: SqlBounds) {
  const held = new Map<string, number>();
  let total = 0;

  return function holderOf(database: string) {
    let own = 0;
    const change = (bytes: number) => {
      own += bytes;
      total += bytes;
      const left = (held.get(database) ?? 0) + bytes;
      if (left > 0) held.set(database, left);
      else held.delete(database);
    };
    return {
      add: change,
      isOver: () => (held.get(database) ?? 0) > databaseBytesMax || total > bytesMax,
      release: () => change(-own),
    };
  };
}
/** What one request holds. */
export type Holder = ReturnType<ReturnType<typeof createBudget>>;
