import { expect, test } from "vitest";
import { createShares } from "../../../host/edge-sql/share.ts";

const limits = {
  bytes: { all: 100, perDatabase: 40, perAddress: 60 },
  guaranteedBytes: 10,
  strangers: { all: 5, perAddress: 3 },
  guests: { all: 6, perDatabase: 2, perAddress: 4 },
};
const a = { database: "a", address: "10.0.0.1" };
const b = { database: "b", address: "10.0.0.2" };

function times(count: number, work: () => unknown): void {
  for (let done = 0; done < count; done++) work();
}

test("strangers of one address do not take another's places", () => {
  const shares = createShares(limits);
  times(3, () => shares.enterAsStranger("10.0.0.1"));
  expect(() => shares.enterAsStranger("10.0.0.1")).toThrow("Too many are connected at once");
  times(2, () => shares.enterAsStranger("10.0.0.2"));
  expect(() => shares.enterAsStranger("10.0.0.3")).toThrow("Too many");
});

test("a place is free again once it is left, however often that is said", () => {
  const shares = createShares(limits);
  const leave = shares.enterAsStranger("10.0.0.1");
  times(2, () => shares.enterAsStranger("10.0.0.1"));
  leave();
  leave();
  shares.enterAsStranger("10.0.0.1");
  expect(() => shares.enterAsStranger("10.0.0.1")).toThrow("Too many");
});

test("guests of one database do not take another's places", () => {
  const shares = createShares(limits);
  times(2, () => shares.enterAsGuest(a));
  expect(() => shares.enterAsGuest(a)).toThrow("Too many");
  times(2, () => shares.enterAsGuest(b));
  times(2, () => shares.enterAsGuest({ database: "c", address: "10.0.0.3" }));
  expect(() => shares.enterAsGuest({ database: "d", address: "10.0.0.4" })).toThrow("Too many");
});

test("a database that holds more than its share is told, its neighbour is not", () => {
  const shares = createShares(limits);
  const [first, second, other] = [shares.holderOf(a), shares.holderOf(a), shares.holderOf(b)];
  first.add(30);
  expect(first.isOver()).toBe(false);
  second.add(11);
  expect([first.isOver(), second.isOver(), other.isOver()]).toEqual([true, true, false]);
  second.release();
  expect(first.isOver()).toBe(false);
  first.set(41);
  expect(first.isOver()).toBe(true);
});

test("who holds little may go on, also while others hold all there is", () => {
  const shares = createShares(limits);
  for (const database of ["c", "d", "e"]) {
    shares.holderOf({ database, address: database }).add(40);
  }
  const small = shares.holderOf(b);
  small.add(10);
  expect(small.isOver()).toBe(false);
  small.add(1);
  expect(small.isOver()).toBe(true);
});

test("an address has its share of bytes, whatever databases it asks", () => {
  const shares = createShares(limits);
  shares.holderOf({ database: "c", address: "10.0.0.1" }).add(35);
  const next = shares.holderOf(a);
  next.add(25);
  expect(next.isOver()).toBe(false);
  next.add(1);
  expect(next.isOver()).toBe(true);
});
