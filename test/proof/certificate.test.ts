import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, test } from "vitest";
import { canonicalJson } from "../../src/contract/canonical.ts";
import { readCertificateKey } from "../../src/core/certificate-key.ts";
import { resultOf } from "../../src/proof/certificate.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { passedChecks } from "../support/fake-recovery.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
let databaseId: string;
let databaseName: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  ({ id: databaseId, database: databaseName } = data.databases[0]);
});

async function verified() {
  const path = `/api/v1/admin/hosts/${hostId}/verifications`;
  const begun = await api.call("POST", path, { body: { database_id: databaseId } });
  expect(begun.status).toBe(202);
  await api.context.drive(`host:${hostId}`, 1000);
  const { body } = await api.call("GET", `/api/v1/databases/${databaseId}/certificates`);
  return body.data[0];
}

const publishedKeys = async () =>
  (await api.call("GET", "/.well-known/miosa-certificate-keys", { key: null })).body.keys;

const bytesOf = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

// biome-ignore lint/suspicious/noExplicitAny: a certificate that somebody has changed.
async function isSigned({ signature, ...signed }: any): Promise<boolean> {
  const keys = await publishedKeys();
  const jwk = keys.find(({ kid }: { kid: string }) => kid === signature.key_id);
  const { kty, crv, x } = jwk;
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x }, "Ed25519", false, ["verify"]);
  const bytes = new TextEncoder().encode(canonicalJson(signed));
  return crypto.subtle.verify("Ed25519", key, bytesOf(signature.value), bytes);
}

describe("a certificate", () => {
  it("says what was restored from what, and is signed by a published key", async () => {
    const certificate = await verified();
    expect(certificate).toMatchObject({
      database_id: databaseId,
      result: "passed",
      backup: { label: "20260101-000000F", repository: 1 },
      checks: passedChecks,
    });
    expect(await isSigned(certificate)).toBe(true);
    const again = await api.call("GET", `/api/v1/certificates/${certificate.id}`);
    expect(again.body.data).toEqual(certificate);
  });

  it("is no more valid once any field is another", async () => {
    const certificate = await verified();
    const [first, ...rest] = certificate.checks;
    const changes = [
      { result: "failed" },
      { database_id: crypto.randomUUID() },
      { finished_at: "2026-01-02T00:00:00.000Z" },
      { checks: [{ ...first, result: "failed" }, ...rest] },
      { manifest: { ...certificate.manifest, rows: 2 } },
      { remark: "added" },
    ];
    for (const change of changes) {
      expect(await isSigned({ ...certificate, ...change }), JSON.stringify(change)).toBe(false);
    }
  });

  it("stays valid after its key was replaced, whose public half stays published", async () => {
    const certificate = await verified();
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("privateKey" in pair)) throw new Error("There is no private key.");
    const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
    const text = JSON.stringify({ ...jwk, kid: "another" });
    Object.assign(api.context, { certificateKey: await readCertificateKey(text) });
    expect((await publishedKeys()).at(-1)).toMatchObject({ kid: "another" });
    expect(await isSigned(certificate)).toBe(true);
  });

  it("is its organization's alone", async () => {
    const { id } = await verified();
    const key = await api.addStranger();
    expect((await api.call("GET", `/api/v1/certificates/${id}`, { key })).status).toBe(404);
    const list = `/api/v1/databases/${databaseId}/certificates`;
    expect((await api.call("GET", list, { key })).status).toBe(404);
    expect((await api.call("GET", list, { key: null })).status).toBe(401);
  });

  it("is listed after its database was deleted", async () => {
    const { id } = await verified();
    await api.call("DELETE", `/api/v1/databases/${databaseId}`);
    const { body } = await api.call("GET", `/api/v1/databases/${databaseId}/certificates`);
    expect(body.data.map((each: { id: string }) => each.id)).toEqual([id]);
  });

  it("is the proof of the base backup it was restored from", async () => {
    const { id } = await verified();
    const at = api.clock.now().toISOString();
    const backup = {
      repository: 1,
      type: "full" as const,
      started_at: at,
      stopped_at: at,
      database_bytes: 1,
      repository_bytes: 1,
    };
    const labels = ["20260101-000000F", "20260102-000000F"];
    const { baseBackups } = api.host.things;
    baseBackups.set(
      databaseName,
      labels.map((label) => ({ label, ...backup })),
    );
    const { body } = await api.call("GET", `/api/v1/databases/${databaseId}/backups`);
    const [second, first] = body.data;
    expect(first.proof).toEqual({ certificate_id: id, result: "passed", at: expect.any(String) });
    expect(second.proof).toBeNull();
  });
});

test.each([
  ["all that passed", ["passed", "passed"], "passed"],
  ["one that was not made", ["passed", "skipped"], "incomplete"],
  ["one that failed", ["skipped", "failed"], "failed"],
  ["none at all", [], "incomplete"],
] as const)("checks come to what is the least of them: %s", (_, results, result) => {
  const [check] = passedChecks;
  if (check === undefined) throw new Error("There is no check.");
  expect(resultOf({ checks: results.map((each) => ({ ...check, result: each })) })).toBe(result);
});

test("the canonical form sorts keys and writes no space", () => {
  const value = { b: [1, 2.5, "ü\n"], a: { d: null, c: true } };
  expect(canonicalJson(value)).toBe('{"a":{"c":true,"d":null},"b":[1,2.5,"ü\\n"]}');
});

test("a key that cannot sign is refused with words, and is not in them", async () => {
  const { d, ...half } = JSON.parse(env.MIOSA_CERTIFICATE_KEY);
  const refused = readCertificateKey(JSON.stringify(half));
  await expect(refused).rejects.toThrow("must be a private Ed25519 JWK with a kid");
  await expect(refused).rejects.not.toThrow(d);
});

describe("POST /admin/hosts/:id/verifications", () => {
  const path = `/api/v1/admin/hosts/${hostId}/verifications`;

  it("is the operator's alone", async () => {
    const key = await api.addKey(["*"]);
    expect((await api.call("POST", path, { body: {}, key })).status).toBe(403);
  });

  it("refuses another while one runs, and a database that is not there", async () => {
    expect((await api.call("POST", path, { body: {} })).status).toBe(202);
    const again = await api.call("POST", path, { body: {} });
    expect(again.body.error.code).toBe("OPERATION_IN_PROGRESS");
    const body = { database_id: crypto.randomUUID() };
    expect((await api.call("POST", path, { body })).status).toBe(404);
  });
});
