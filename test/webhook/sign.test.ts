import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { base64 } from "../../src/core/id.ts";
import { signatureHeaders, standardKey } from "../../src/webhook/sign.ts";
import { createRandom } from "../support/source.ts";

const random = createRandom(7);
const makeSecret = () => `whsec_${base64(random(32))}`;
const nowSeconds = () => Math.floor(Date.now() / 1000);
const signable = (body: string) => ({ deliveryId: "d1", timestampSeconds: nowSeconds(), body });

it("signs the published vector as published", async () => {
  const body = '{"id":"d1","event":"sandbox.created","data":{"id":"sbx_1"}}';
  const headers = await signatureHeaders(["whsec_test_secret"], signable(body));
  expect(headers["x-miosa-signature"]).toBe(
    "sha256=8b2235cca7267651fabc07d21aad1bab5fe09e99f536df5879e5734063c8d377",
  );
});

it("signs so that the reference library of Standard Webhooks verifies it", async () => {
  const secret = makeSecret();
  const body = '{"naïve":"☃"}';
  const headers = await signatureHeaders([secret], signable(body));
  expect(new Webhook(secret).verify(body, headers)).toEqual({ naïve: "☃" });
  expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
  expect(() => new Webhook(makeSecret()).verify(body, headers)).toThrow();
});

it("signs with both secrets while a former one lasts", async () => {
  const [next, former] = [makeSecret(), makeSecret()] as const;
  const headers = await signatureHeaders([next, former], signable("{}"));
  for (const secret of [next, former]) {
    expect(new Webhook(secret).verify("{}", headers)).toEqual({});
  }
  expect(headers["miosa-signature"]).toMatch(/^t=\d+,v1=[\da-f]{64},v1=[\da-f]{64}$/);
  const alone = async (secret: string) =>
    (await signatureHeaders([secret], signable("{}")))["x-miosa-signature"];
  expect(headers["x-miosa-signature"]).toBe(await alone(former));
  expect(headers["x-miosa-signature-next"]).toBe(await alone(next));
});

it("stamps a signature with its time, against replays", async () => {
  const at = { deliveryId: "d1", timestampSeconds: 1_700_000_000, body: "{}" };
  const stamped = (await signatureHeaders(["0123456789abcdef"], at))["miosa-signature"];
  const encode = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey(
    "raw",
    encode("0123456789abcdef"),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, encode("1700000000.{}")));
  const hex = [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect(stamped).toBe(`t=1700000000,v1=${hex}`);
});

it.each(["a secret of a caller's", "whsec_test_secret", "whsec_AAAA", "whsec_"])(
  "gives the secret %j the two signatures that take any text",
  async (secret) => {
    expect(standardKey(secret)).toBeNull();
    const headers = await signatureHeaders([secret], signable("{}"));
    expect(Object.keys(headers)).not.toContain("webhook-signature");
    expect(headers["x-miosa-signature"]).toMatch(/^sha256=[\da-f]{64}$/);
  },
);
