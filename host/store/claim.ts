// Which host has the store: two machines that take themselves for one host would write over each
// other's copies. Whoever was rebuilt in the place of another has it from then on.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../base/file.ts";
import { hostKey } from "./key.ts";
import { contentOf, type S3 } from "./s3.ts";
import type { Sealer } from "./seal.ts";

/** A host as the store knows it. */
const StoredHost = z.strictObject({
  /** Made once with the directory of the host. */
  identity: z.string(),
  /** Differs for each machine that has been this host. */
  holder: z.string(),
});
export type StoredHost = z.infer<typeof StoredHost>;

const checkMilliseconds = 60_000;
const holderFile = (directory: string) => join(directory, "holder");

/** The host the store has files of; undefined when there is none. */
export async function readHost(s3: S3, sealer: Sealer): Promise<StoredHost | undefined> {
  const object = await s3.get(hostKey);
  if (object === undefined) return undefined;
  const text = sealer.open(hostKey, await buffer(object.stream)).toString();
  return StoredHost.parse(JSON.parse(text));
}

/** Has this machine be the one that writes. */
export async function takeStore(
  s3: S3,
  sealer: Sealer,
  directory: string,
  identity: string,
): Promise<void> {
  const holder = randomUUID();
  writeAtomically(holderFile(directory), holder);
  const text = JSON.stringify({ identity, holder } satisfies StoredHost);
  await s3.put(hostKey, contentOf(sealer.seal(hostKey, text)));
}

/** Makes what sees, once a minute, that this machine may write. @throws Error when it may not */
export function createClaim(s3: S3, sealer: Sealer, directory: string, identity: string) {
  let checked: Promise<void> | undefined;
  let checkedAt = 0;

  async function check(): Promise<void> {
    const stored = await readHost(s3, sealer);
    const holder = readIfExists(holderFile(directory));
    if (stored === undefined) return takeStore(s3, sealer, directory, identity);
    if (stored.identity !== identity) {
      throw new Error(
        "The store holds another host of this id: rebuild that one here, or use another prefix.",
      );
    }
    if (stored.holder === holder) return;
    throw new Error("Another machine was rebuilt as this host, and has the store now.");
  }

  return (): Promise<void> => {
    const now = Date.now();
    if (checked === undefined || now - checkedAt > checkMilliseconds) {
      checkedAt = now;
      const mine = check();
      checked = mine;
      mine.catch(() => {
        if (checked === mine) checked = undefined;
      });
    }
    return checked;
  };
}
