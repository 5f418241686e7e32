import { expect, test } from "vitest";
import {
  compactSpans,
  nothing,
  parseSpans,
  pointsOf,
  renderSpan,
  type Sample,
  type Span,
} from "../../../host/observe/metric-series.ts";

const minute = 60_000;
const begin = Date.UTC(2026, 0, 1);

const spanAt = (minutes: number, fields: Partial<Sample> = {}): Span => ({
  begin: begin + minutes * minute,
  seconds: 60,
  sample: { ...nothing, transactions: 1, size_bytes: 100, client_connections: 1, ...fields },
});

const total = (points: readonly { transactions: number }[]) =>
  points.reduce((sum, point) => sum + point.transactions, 0);

test("a minute that was not kept counts nothing, and has what there was before", () => {
  const spans = [
    spanAt(0, { transactions: 5 }),
    spanAt(3, { transactions: 7, size_bytes: 200, client_connections: 0 }),
  ];
  const points = pointsOf(spans, 300, begin + 5 * minute);
  expect(points.map(({ transactions }) => transactions)).toEqual([5, 0, 0, 7, 0]);
  expect(points.map(({ size_bytes }) => size_bytes)).toEqual([100, 100, 100, 200, 200]);
  expect(points.map((point) => point.client_connections)).toEqual([1, 1, 1, 0, 0]);
  const later = pointsOf(spans, 60, begin + 60 * minute);
  expect(later).toMatchObject([{ transactions: 0, size_bytes: 200 }]);
});

test("a point that is not over says how long it lasts so far", () => {
  const points = pointsOf([spanAt(1)], 120, begin + 1.5 * minute);
  expect(points.at(-1)).toMatchObject({ at: "2026-01-01T00:01:30.000Z", seconds: 30 });
});

test("a week is kept in a thousand spans, given in 300 points, and no sum is lost", () => {
  let spans: Span[] = [];
  const minutes = 7 * 24 * 60;
  for (let n = 0; n < minutes; n++) {
    spans.push(spanAt(n));
    if (n % 1500 === 0) spans = compactSpans(spans, begin + n * minute);
  }
  const now = begin + minutes * minute;
  spans = compactSpans(spans, now);
  expect(spans.length).toBeLessThan(1000);
  for (const hours of [1, 5, 24, 168]) {
    const points = pointsOf(spans, hours * 3600, now);
    expect(points.length).toBeLessThanOrEqual(301);
    expect(total(points)).toBe(hours * 60);
  }
  expect(compactSpans(spans, now + 8 * 24 * 60 * minute)).toEqual([]);
});

test("a file gives back what was written, but for a line that was torn", () => {
  const spans = [spanAt(0, { errors: 2 }), spanAt(7, { temporary_bytes: 2 ** 40 })];
  const text = spans.map(renderSpan).join("");
  expect(parseSpans(text)).toEqual(spans);
  expect(parseSpans(`${text}[29453760,60,1`)).toEqual(spans);
  expect(text.length).toBeLessThan(120);
});

test("of a database nothing is known of nothing is told, all along", () => {
  const points = pointsOf([], 600, begin);
  expect(points).toHaveLength(10);
  expect(total(points)).toBe(0);
});
