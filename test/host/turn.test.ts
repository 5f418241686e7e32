import { expect, test } from "vitest";
import { createTurns } from "../../host/turn.ts";

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
