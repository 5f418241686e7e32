// What one HTTP client may have of this program, whatever the pooler would give it. What all of
// them have together is in share.ts.

const megabyte = 1024 ** 2;

/** Bounds of /sql. */
export interface SqlBounds {
  /** Of one request, and of one answer; beyond that is what TCP is for. */
  readonly bodyBytesMax: number;
  readonly answerBytesMax: number;
  /** From the head of a request to its answer; a connection that long held is worth a session. */
  readonly requestMilliseconds: number;
  /** Requests of one login that wait for a connection. */
  readonly waitingMax: number;
  readonly idleMilliseconds: number;
  readonly ageMilliseconds: number;
}

/** Far from what one host program holds, and enough for hundreds of clients at once. */
export const defaultSqlBounds: SqlBounds = {
  bodyBytesMax: 4 * megabyte,
  answerBytesMax: 16 * megabyte,
  requestMilliseconds: 30_000,
  waitingMax: 500,
  idleMilliseconds: 5000,
  ageMilliseconds: 60_000,
};

/** What a byte of a body takes at most while it is read: bytes, text, values, message. */
export const bodyWeight = 3;
/** What a row counts for at least: its handling costs as much as so many bytes. */
export const rowBytesMin = 64;
/** Beyond this requests and answers are worked on in turns, so that small ones do not wait. */
export const largeBytes = 256 * 1024;
