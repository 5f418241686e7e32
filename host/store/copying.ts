// Has objects of one database sent and removed, and notes in its ledger what the store has by then.
import { createHash } from "node:crypto";
import { createTurns } from "../base/turn.ts";
import { dataKey, type Names } from "./key.ts";
import type { Ledger } from "./ledger.ts";
import { contentOf, type S3 } from "./s3.ts";
import type { Sealer } from "./seal.ts";
import { withFile } from "./tree.ts";

/** What a database is copied with. */
export interface Copying {
  /** The begin of the keys of its objects; ends with a slash. */
  readonly prefix: string;
  /** Of its repository. */
  readonly directory: string;
  readonly ledger: Ledger;
  readonly s3: S3;
  readonly sealer: Sealer;
  /** The key of the repository. */
  readonly pass: string;
}

const sentAtOnce = 4;

/** Names a content. */
export function markOf(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 32);
}

/** Does all, a few at a time; waits for those that go on when one fails. */
export async function forEach<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const inTurn = createTurns(sentAtOnce);
  let hasFailed = false;
  const works = items.map((item) =>
    inTurn(async () => {
      if (hasFailed) return;
      await work(item).catch((error) => {
        hasFailed = true;
        throw error;
      });
    }),
  );
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Sends something small as it is, unless the store has that. */
export async function sendBytes(copying: Copying, key: string, content: Buffer): Promise<void> {
  const { prefix, ledger, s3 } = copying;
  const mark = markOf(content);
  if (ledger.get(key)?.mark === mark) return;
  await s3.put(prefix + key, contentOf(content));
  ledger.note(key, { bytes: content.length, mark });
}

/** The same, sealed. */
export async function sendSealed(
  { prefix, ledger, s3, sealer }: Copying,
  key: string,
  content: Buffer | string,
): Promise<void> {
  const mark = markOf(content);
  if (ledger.get(key)?.mark === mark) return;
  const name = prefix + key;
  const sealed = sealer.seal(name, content);
  await s3.put(name, contentOf(sealed));
  ledger.note(key, { bytes: sealed.length, mark });
}

/** Sends a file of the repository's data; one that was removed meanwhile is passed over. */
export async function sendFile(copying: Copying, names: Names): Promise<void> {
  const { prefix, directory, ledger, s3 } = copying;
  const key = dataKey(names);
  await withFile(directory, ["data", ...names], async (content) => {
    await s3.put(prefix + key, content);
    ledger.note(key, { bytes: content.bytes, mark: content.sha256.slice(0, 32) });
  });
}

/** Removes objects. */
export async function remove({ prefix, ledger, s3 }: Copying, keys: readonly string[]) {
  if (keys.length === 0) return;
  // One the store has and that is not noted costs space; one that is noted and not there, data.
  ledger.strike(keys);
  await s3.remove(keys.map((key) => prefix + key));
}

/** Has the ledger say what the store has, when that was not looked at for long. */
export async function readStore(copying: Copying, maxAgeMilliseconds: number): Promise<void> {
  const { prefix, ledger, s3 } = copying;
  if (Date.now() - ledger.listedAt < maxAgeMilliseconds) return;
  const take = ledger.list();
  const found = new Map<string, number>();
  for await (const { key, bytes } of s3.list(prefix)) found.set(key.slice(prefix.length), bytes);
  take(found, Date.now());
}
