import { expect, test } from "vitest";
import { createQueue, createTurns } from "../../../host/base/turn.ts";

test("so many work at a time, the others as they came, also after a failure", async () => {
  const inTurn = createTurns(2);
  const begun: number[] = [];
  const ends = new Map<number, () => void>();
  const works = [1, 2, 3, 4].map((n) =>
    inTurn(() => {
      begun.push(n);
      return new Promise<void>((resolve, reject) => {
        ends.set(n, () => (n === 1 ? reject(new Error("It failed.")) : resolve()));
      });
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([1, 2]);
  ends.get(1)?.();
  await expect(works[0]).rejects.toThrow("It failed.");
  await Promise.resolve();
  expect(begun).toEqual([1, 2, 3]);
  ends.get(2)?.();
  ends.get(3)?.();
  await Promise.all(works.slice(1, 3));
  expect(begun).toEqual([1, 2, 3, 4]);
  ends.get(4)?.();
  await works[3];
});

test("who waits is let in before who came later, unless its name has all its places", async () => {
  const queue = createQueue(2, 1);
  const entered: string[] = [];
  const enter = async (name: string) => {
    const leave = await queue.enter(name);
    entered.push(name);
    return leave;
  };
  const first = await enter("a");
  const again = enter("a");
  const other = await enter("b");
  expect(entered).toEqual(["a", "b"]);
  other();
  const third = await enter("c");
  expect(entered).toEqual(["a", "b", "c"]);
  first();
  (await again)();
  third();
  expect(entered).toEqual(["a", "b", "c", "a"]);
});

test("who gives up waiting leaves the line", async () => {
  const queue = createQueue(1, 1);
  const leave = await queue.enter("a");
  const controller = new AbortController();
  const late = queue.enter("a", controller.signal);
  const next = queue.enter("b");
  controller.abort(new Error("gone"));
  await expect(late).rejects.toThrow("gone");
  leave();
  (await next)();
  await expect(queue.enter("a", controller.signal)).rejects.toThrow("gone");
});
