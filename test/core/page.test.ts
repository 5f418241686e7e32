import { describe, expect, test } from "vitest";
import { listEnvelope, pageOf } from "../../src/core/page.ts";

const rows = [{ seq: 9 }, { seq: 7 }, { seq: 4 }];
const seqOf = (row: { seq: number }) => row.seq;

describe("a list", () => {
  test("without parameters is its first 20 rows", () => {
    expect(pageOf({})).toEqual({ limit: 20, offset: 0, beforeSeq: null, page: 1 });
  });

  test("by page number passes over the pages before", () => {
    expect(pageOf({ page: 3, page_size: 10 })).toMatchObject({ limit: 10, offset: 20 });
  });

  test("goes on after the last row when its own cursor comes back", () => {
    const { next_cursor } = listEnvelope(pageOf({ limit: 3 }), rows, 5, seqOf);
    expect(pageOf({ limit: 3, cursor: next_cursor ?? "" })).toMatchObject({
      beforeSeq: 4,
      offset: 0,
    });
  });

  test("takes an empty cursor for none", () => {
    expect(pageOf({ cursor: "" })).toEqual(pageOf({}));
  });

  test.each([
    [{ limit: 1, page_size: 2 }, "limit"],
    [{ per_page: 1, page_size: 2 }, "per_page"],
    [{ page: 2, cursor: "czox" }, "page"],
  ])("refuses two words that disagree: %j", (query, field) => {
    expect(() => pageOf(query)).toThrow(`${field}:`);
  });

  test("says that it has ended when a page is not full", () => {
    const { next_cursor, total } = listEnvelope(pageOf({ limit: 10 }), rows, 3, seqOf);
    expect(next_cursor).toBeNull();
    expect(total).toBe(3);
  });

  test.each(["x", "czo", btoa("s:"), btoa("s:1;drop table project"), btoa("s:-1"), "☃"])(
    "refuses the foreign cursor %j with the remedy",
    (cursor) => {
      expect(() => pageOf({ cursor })).toThrow(/cursor: .*use `next_cursor`/);
    },
  );
});
