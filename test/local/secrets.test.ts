import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keepSecrets, publicKey, refuseLostSecrets } from "../../local/launch/secrets.ts";
import { homePaths } from "../../local/launch/settings.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "secrets-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const file = () => join(home, "secrets.json");

test("secrets are made once and kept", () => {
  expect(keepSecrets(file())).toEqual(keepSecrets(file()));
});

test("only the owner may read them", () => {
  keepSecrets(file());
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test("two installations share none", () => {
  const one = keepSecrets(file());
  const two = keepSecrets(`${file()}.2`);
  expect(one.admin_key).not.toBe(two.admin_key);
  expect(one.sealing_keys).not.toEqual(two.sealing_keys);
  expect(one.host_key.d).not.toBe(two.host_key.d);
  expect(one.certificate_key.d).not.toBe(two.certificate_key.d);
  expect(one.certificate_key.d).not.toBe(one.host_key.d);
  expect(one.host_id).not.toBe(two.host_id);
});

test("the admin key has the form clients expect, the sealing key 32 bytes", () => {
  const { admin_key, sealing_keys } = keepSecrets(file());
  expect(admin_key).toMatch(/^msk_a_[\w-]{43}$/);
  expect(Buffer.from(sealing_keys.keys[sealing_keys.current] ?? "", "base64")).toHaveLength(32);
});

test("the host's half verifies what the control plane signs, and signs nothing", () => {
  const secrets = keepSecrets(file());
  const half = publicKey(secrets);
  expect(half).not.toHaveProperty("d");
  expect(half.kid).toBe(secrets.host_key.kid);
  const message = Buffer.from("command");
  const key = createPrivateKey({ key: secrets.host_key, format: "jwk" });
  const signature = sign(null, message, key);
  const verifier = createPublicKey({ key: half, format: "jwk" });
  expect(verify(null, message, verifier, signature)).toBe(true);
});

test("an installation that is older than a secret keeps its others, and is given that one", () => {
  const { certificate_key: _, ...older } = keepSecrets(file());
  writeFileSync(file(), JSON.stringify(older));
  expect(keepSecrets(file())).toMatchObject(older);
  expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual(keepSecrets(file()));
});

test("a file that is damaged is named, kept, and not told", () => {
  for (const text of ["", "{", "[]", '{"admin_key": "msk_a_secret", "host_id": 7}']) {
    writeFileSync(file(), text);
    const keep = () => keepSecrets(file());
    expect(keep).toThrow(file());
    expect(keep).not.toThrow("msk_a_secret");
    expect(readFileSync(file(), "utf8")).toBe(text);
  }
});

test.each(["D1", "the host"])("new ones are not made beside %s of lost ones", (what) => {
  const paths = homePaths(home);
  refuseLostSecrets(paths);
  const { sealing_keys: _, ...rest } = keepSecrets(paths.secrets);
  mkdirSync(what === "D1" ? join(paths.state, "v3") : join(paths.host, "record"), {
    recursive: true,
  });
  refuseLostSecrets(paths);
  writeFileSync(paths.secrets, JSON.stringify(rest));
  expect(() => refuseLostSecrets(paths)).toThrow("lacks sealing_keys");
  writeFileSync(paths.secrets, "{}");
  expect(() => refuseLostSecrets(paths)).toThrow("lacks host_id, admin_key");
  rmSync(paths.secrets);
  expect(() => refuseLostSecrets(paths)).toThrow(`${paths.secrets} is missing`);
});
