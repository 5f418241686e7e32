import { describe, expect, test } from "vitest";
import { readKeyring, reseal, seal, unseal } from "../../src/core/seal.ts";
import { keyringOf } from "../support/context.ts";
import { createClock, createRandom } from "../support/source.ts";

const source = { now: createClock().now, random: createRandom(3) };
const purpose = "database:1:password";
const secret = "a secret with ümlauts";

const part = (sealed: string, index: number) => sealed.split(".")[index];

describe("a sealed secret", () => {
  test("opens for its purpose", async () => {
    const keyring = await keyringOf("k1");
    const sealed = await seal(keyring, source, purpose, secret);
    expect(await unseal(keyring, purpose, sealed)).toBe(secret);
  });

  test("does not show the secret, and is another text each time", async () => {
    const keyring = await keyringOf("k1");
    const [one, two] = await Promise.all([
      seal(keyring, source, purpose, secret),
      seal(keyring, source, purpose, secret),
    ]);
    expect(one).not.toContain(secret);
    expect(one).not.toBe(two);
  });

  test("does not open for another purpose", async () => {
    const keyring = await keyringOf("k1");
    const sealed = await seal(keyring, source, purpose, secret);
    await expect(unseal(keyring, "database:2:password", sealed)).rejects.toThrow();
  });

  test("does not open after any of its parts was changed", async () => {
    const keyring = await keyringOf("k1");
    const sealed = await seal(keyring, source, purpose, secret);
    const parts = sealed.split(".");
    for (const [index, text] of parts.entries()) {
      const changed = parts.with(index, `${text.startsWith("A") ? "B" : "A"}${text.slice(1)}`);
      await expect(unseal(keyring, purpose, changed.join("."))).rejects.toThrow();
    }
  });

  test("does not open with another installation's key of the same version", async () => {
    const sealed = await seal(await keyringOf("k1"), source, purpose, secret);
    const keys = { k1: btoa("x".repeat(32)) };
    const theirs = await readKeyring(JSON.stringify({ current: "k1", keys }));
    await expect(unseal(theirs, purpose, sealed)).rejects.toThrow();
  });

  test("names the key version that is missing, and no key", async () => {
    const sealed = await seal(await keyringOf("k1"), source, purpose, secret);
    await expect(unseal(await keyringOf("k2"), purpose, sealed)).rejects.toThrow(
      "Sealing key k1 is not configured.",
    );
  });
});

describe("rotation", () => {
  async function rotate() {
    const [before, both, after] = await Promise.all([
      keyringOf("k1"),
      keyringOf("k1", "k2"),
      keyringOf("k2"),
    ]);
    const sealed = await seal(before, source, purpose, secret);
    return { sealed, resealed: await reseal(both, source, purpose, sealed), both, after };
  }

  test("wraps the data key anew and leaves the ciphertext as it is", async () => {
    const { sealed, resealed } = await rotate();
    expect(part(resealed, 1)).toBe("k2");
    expect(part(resealed, 3)).not.toBe(part(sealed, 3));
    expect([part(resealed, 4), part(resealed, 5)]).toEqual([part(sealed, 4), part(sealed, 5)]);
  });

  test("makes the old key unnecessary", async () => {
    const { resealed, after } = await rotate();
    expect(await unseal(after, purpose, resealed)).toBe(secret);
  });

  test("leaves alone what is sealed with the current key", async () => {
    const { resealed, both } = await rotate();
    expect(await reseal(both, source, purpose, resealed)).toBe(resealed);
  });

  test("does not move a secret to another purpose", async () => {
    const { sealed, both } = await rotate();
    await expect(reseal(both, source, "database:2:password", sealed)).rejects.toThrow();
  });
});

describe("a keyring", () => {
  test("of short keys is refused by name", async () => {
    const json = JSON.stringify({ current: "k1", keys: { k1: btoa("short") } });
    await expect(readKeyring(json)).rejects.toThrow("Sealing key k1 must be 32 bytes of base64.");
  });

  test("without its current key is refused", async () => {
    const json = JSON.stringify({ current: "k2", keys: { k1: btoa("x".repeat(32)) } });
    await expect(readKeyring(json)).rejects.toThrow("`current` must name one of `keys`");
  });
});
