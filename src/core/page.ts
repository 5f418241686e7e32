import { invalid } from "./error.ts";

/** Which part of a list: by page number, or after a cursor. */
export interface PageRequest {
  /** Rows wanted, 1 to 100. */
  readonly limit: number;
  /** Rows to pass over; 0 with a cursor. */
  readonly offset: number;
  /** Only rows whose `seq` is lower: lists run from the newest. */
  readonly beforeSeq: number | null;
  readonly page: number;
}

/** The list parameters as they come in: `page` + `page_size`, or `limit` + `cursor`. */
export interface PageQuery {
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  readonly per_page?: number | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

const sizeNames = ["page_size", "per_page", "limit"] as const;

/** @throws ApiError 422 when `cursor` is not one of ours, and for two words that disagree */
export function pageOf(query: PageQuery): PageRequest {
  const [first, ...others] = sizeNames.filter((name) => query[name] !== undefined);
  const limit = first === undefined ? 20 : (query[first] ?? 20);
  const other = others.find((name) => query[name] !== limit);
  if (other !== undefined) throw invalid(other, `is another one than \`${first}\`; send one.`);
  const page = query.page ?? 1;
  if (query.cursor === undefined || query.cursor === "") {
    return { limit, offset: (page - 1) * limit, beforeSeq: null, page };
  }
  if (query.page !== undefined) {
    throw invalid("page", "says nothing beside `cursor`, which says where the list goes on.");
  }
  const beforeSeq = readCursor(query.cursor);
  return { limit, offset: 0, beforeSeq, page };
}

/** The envelope of a list: `data`, `page`, `total`, and `next_cursor` while there is more. */
export function listEnvelope<Row extends { readonly seq: number }, Rendered>(
  request: PageRequest,
  rows: readonly Row[],
  total: number,
  render: (row: Row) => Rendered,
) {
  return {
    data: rows.map(render),
    page: { page: request.page, page_size: request.limit, total },
    total,
    next_cursor: nextCursor(request.limit, rows),
  };
}

/** The same with `meta` as the one key beside `data`: a public client unwraps no more than that. */
export function metaEnvelope<Row extends { readonly seq: number }, Rendered>(
  request: PageRequest,
  rows: readonly Row[],
  total: number,
  render: (row: Row) => Rendered,
) {
  const { data, page, next_cursor } = listEnvelope(request, rows, total, render);
  return { data, meta: { ...page, per_page: request.limit, next_cursor } };
}

/** The cursor of a list that ends in these rows; null when they are the last. */
export function nextCursor(
  limit: number,
  rows: readonly { readonly seq: number }[],
): string | null {
  const last = rows.at(-1);
  return rows.length < limit || last === undefined ? null : writeCursor(last.seq);
}

function writeCursor(seq: number): string {
  return btoa(`s:${seq}`).replaceAll("=", "");
}

/** @throws ApiError 422 when it is not one of ours. */
export function readCursor(cursor: string): number {
  try {
    const found = /^s:(\d{1,15})$/.exec(atob(cursor));
    if (found?.[1] !== undefined) return Number(found[1]);
  } catch {
    // Not base64: answered below like any other foreign cursor.
  }
  throw invalid("cursor", "is not a cursor of this list; use `next_cursor` of the page before.");
}

/** The cursor of a list that is followed from the oldest on: it goes on also after the last row. */
export function cursorAfter(seq: number): string {
  return writeCursor(seq);
}
