// Dumps in the store: each in parts, as it may be larger than an object may be, and its facts after
// them. They are encrypted where they are made.
import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { writeAtomically } from "../file.ts";
import { type Copying, readStore, remove, sendSealed } from "./copying.ts";
import { fetchInto } from "./fetch.ts";
import type { Ledgers } from "./ledger.ts";
import { StoreDamage } from "./problem.ts";
import type { S3 } from "./s3.ts";
import type { Sealer } from "./seal.ts";
import { smallFile, withFile } from "./tree.ts";

const partBytes = 256 * 1024 ** 2;
const dumpsPrefix = "dump/";
/** Names their ledger; no database is called so. */
const ledgerName = "dumps";
const readMilliseconds = 24 * 3600_000;

const partKey = (id: string, part: number) => `${id}/${String(part).padStart(5, "0")}`;
const factsKey = (id: string) => `${id}/facts`;
const idOf = (key: string) => key.split("/")[0] ?? "";
const isId = (name: string) => /^[\da-f-]{36}$/.test(name);

/** What dumps are copied with. */
export interface DumpParts {
  /** Where they are kept: a file each, and one of facts. */
  readonly directory: string;
  readonly s3: S3;
  readonly sealer: Sealer;
}

/** Sends one that is here, and removes one that was removed. */
async function sendDump(copying: Copying, id: string): Promise<void> {
  const { directory, ledger, s3, prefix } = copying;
  const facts = smallFile(directory, [`${id}.json`]);
  if (facts === undefined)
    return remove(
      copying,
      ledger.keys().filter((key) => idOf(key) === id),
    );
  const send = async (content: Parameters<S3["put"]>[1], part: number) => {
    const key = partKey(id, part);
    if (ledger.get(key)?.bytes === content.bytes) return;
    await s3.put(prefix + key, content);
    ledger.note(key, { bytes: content.bytes, mark: "" });
  };
  if (!(await withFile(directory, [`${id}.dump`], send, partBytes))) return;
  await sendSealed(copying, factsKey(id), facts);
}

/** Makes what has the store follow them. */
export function createDumpWork(parts: DumpParts, ledgers: Ledgers, claim: () => Promise<void>) {
  const { directory, s3, sealer } = parts;

  async function copying<Result>(work: (it: Copying) => Promise<Result>): Promise<Result> {
    return ledgers.use(ledgerName, (ledger) =>
      work({ prefix: dumpsPrefix, directory, ledger, s3, sealer, pass: "" }),
    );
  }

  return {
    /** Those that the store does not have as they are here. */
    changed: (): Promise<readonly string[]> =>
      copying(async ({ ledger }) => {
        // A directory that is lost is not one of which all was removed.
        if (!existsSync(directory)) return [];
        const names = readdirSync(directory).flatMap(
          (name) => /^(.+)\.json$/.exec(name)?.[1] ?? [],
        );
        const here = new Set(names.filter(isId));
        const there = new Set(ledger.keys().map(idOf));
        const unsent = [...here].filter((id) => !ledger.has(factsKey(id)));
        return [...unsent, ...[...there].filter((id) => !here.has(id))];
      }),
    send: async (id: string): Promise<boolean> => {
      await claim();
      await copying(async (it) => {
        await readStore(it, readMilliseconds);
        await sendDump(it, id);
      });
      return false;
    },
  };
}

async function bringBackDump({ directory, s3, sealer }: DumpParts, id: string): Promise<void> {
  const [file, facts] = [join(directory, `${id}.dump`), join(directory, `${id}.json`)];
  if (existsSync(facts)) return;
  const name = dumpsPrefix + factsKey(id);
  const object = await s3.get(name);
  // It was never sent as a whole.
  if (object === undefined) return;
  const text = sealer.open(name, await buffer(object.stream)).toString();
  rmSync(file, { force: true });
  const keys: string[] = [];
  for await (const { key } of s3.list(`${dumpsPrefix}${id}/`)) if (key !== name) keys.push(key);
  for (const [part, key] of keys.toSorted().entries()) {
    if (key !== dumpsPrefix + partKey(id, part)) throw new StoreDamage(`Dump ${id} lacks a part.`);
    await fetchInto(s3, key, createWriteStream(file, { flags: "a", mode: 0o600, flush: true }));
  }
  writeAtomically(facts, text);
}

/** Fetches all that are not here. @returns why each that is not back is not, by its id */
export async function bringBackDumps(parts: DumpParts): Promise<ReadonlyMap<string, unknown>> {
  mkdirSync(parts.directory, { recursive: true, mode: 0o700 });
  const failed = new Map<string, unknown>();
  for (const id of (await parts.s3.folders(dumpsPrefix)).filter(isId)) {
    await bringBackDump(parts, id).catch((error) => failed.set(id, error));
  }
  return failed;
}
