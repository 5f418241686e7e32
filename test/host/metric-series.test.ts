import { expect, test } from "vitest";
import { addSample, emptySeries, pointsOf, type Sample, Series } from "../../host/metric-series.ts";

const minute = 60_000;
const begin = Date.UTC(2026, 0, 1);

const sample = (fields: Partial<Sample> = {}): Sample => ({
  transactions: 1,
  rollbacks: 0,
  errors: 0,
  slow_statements: 0,
  blocks_hit: 0,
  blocks_read: 0,
  deadlocks: 0,
  temporary_bytes: 0,
  size_bytes: 100,
  client_connections: 1,
  waiting_clients: 0,
  server_connections: 1,
  ...fields,
});

const total = (points: readonly { transactions: number }[]) =>
  points.reduce((sum, point) => sum + point.transactions, 0);

test("a minute in which nothing was kept counts nothing and has the size it had", () => {
  const series = emptySeries();
  addSample(series, begin, sample({ transactions: 5 }));
  addSample(series, begin + 3 * minute, sample({ transactions: 7, size_bytes: 200 }));
  const points = pointsOf(series, 300, begin + 5 * minute);
  expect(points.map(({ transactions }) => transactions)).toEqual([5, 0, 0, 7, 0]);
  expect(points.map(({ size_bytes }) => size_bytes)).toEqual([100, 100, 100, 200, 200]);
  expect(points[1]?.client_connections).toBe(0);
});

test("a span that still lasts is told once somebody has looked in it", () => {
  const series = emptySeries();
  addSample(series, begin, sample({ transactions: 5 }));
  const now = begin + minute + 10_000;
  expect(pointsOf(series, 60, now).at(-1)).toMatchObject({ transactions: 5, seconds: 60 });
  addSample(series, begin + minute, sample({ transactions: 7 }));
  expect(pointsOf(series, 60, now).at(-1)).toMatchObject({ transactions: 7 });
});

test("a week is kept in some hundred points, and no sum is lost", () => {
  const series = emptySeries();
  const minutes = 6 * 24 * 60;
  for (let n = 0; n < minutes; n++) addSample(series, begin + n * minute, sample());
  const now = begin + minutes * minute;
  const week = pointsOf(series, 7 * 86_400, now);
  expect(total(week)).toBe(minutes);
  expect(week.length).toBeLessThan(100);
  const day = pointsOf(series, 86_400, now);
  expect(total(day)).toBe(1440);
  const hour = pointsOf(series, 3600, now);
  expect([hour.length, total(hour)]).toEqual([60, 60]);
  expect(JSON.stringify(series).length).toBeLessThan(150_000);
  expect(Series.parse(JSON.parse(JSON.stringify(series)))).toEqual(series);
});

test("a series without a point is nothing, all along", () => {
  const points = pointsOf(emptySeries(), 600, begin);
  expect(points).toHaveLength(10);
  expect(total(points)).toBe(0);
});
