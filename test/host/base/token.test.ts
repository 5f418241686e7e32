import { beforeAll, describe, expect, test } from "vitest";
import { createTokenGate } from "../../../host/base/token.ts";
import { createSigner } from "../../support/host-token.ts";

const clusterId = "0195d3a0-0000-7000-8000-000000000001";
const otherId = "0195d3a0-0000-7000-8000-000000000002";
const nowSeconds = Math.floor(Date.now() / 1000);
const body = '{"command":"status","input":{}}';

let signer: Awaited<ReturnType<typeof createSigner>>;
let stranger: typeof signer;
beforeAll(async () => {
  [signer, stranger] = await Promise.all([createSigner(clusterId), createSigner(clusterId)]);
});

function aGate(clock = { seconds: nowSeconds }) {
  const now = () => clock.seconds * 1000;
  return createTokenGate({ clusterId, keys: [signer.publicJwk], now });
}

function refused(attempt: Promise<unknown>, message: RegExp) {
  return expect(attempt).rejects.toMatchObject({
    status: 401,
    code: "invalid_token",
    message: expect.stringMatching(message),
  });
}

describe("a token", () => {
  test("opens the address it names", async () => {
    await aGate().admitSql(await signer.sql("postgres"), "postgres");
  });

  test("opens no other address", async () => {
    const token = await signer.sql("session-console");
    await refused(aGate().admitSql(token, "postgres"), /not for SQL to postgres/);
  });

  test("admits the command with the body it names, and no other", async () => {
    const gate = aGate();
    const admitBody = await gate.admitCommand(await signer.command(body));
    admitBody(Buffer.from(body));
    const token = await signer.command(body);
    const admitOther = await gate.admitCommand(token);
    expect(() => admitOther(Buffer.from(`${body} `))).toThrow(/this body/);
  });

  test("for a command opens no address, and one for an address admits no command", async () => {
    const gate = aGate();
    await refused(gate.admitSql(await signer.command(body), "postgres"), /not for SQL/);
    const token = await signer.sql("postgres");
    await refused(gate.admitCommand(token), /not for a command/);
  });

  test("admits the dump it names, one way, up to so many bytes, and nothing else", async () => {
    const gate = aGate();
    expect(await gate.admitDump(await signer.dump("PUT", clusterId, 7), "PUT", clusterId)).toBe(7);
    const token = () => signer.dump("GET", clusterId, 0);
    await refused(gate.admitDump(await token(), "PUT", clusterId), /not for PUT/);
    await refused(gate.admitDump(await token(), "GET", otherId), /not for GET of the dump/);
    await refused(gate.admitSql(await token(), "postgres"), /not for SQL/);
    await refused(gate.admitDump(await signer.sql("postgres"), "GET", clusterId), /not for GET/);
  });

  test("works once, also when two uses race", async () => {
    const gate = aGate();
    const token = await signer.sql("postgres");
    const uses = [gate.admitSql(token, "postgres"), gate.admitSql(token, "postgres")];
    const results = await Promise.allSettled(uses);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await refused(gate.admitSql(token, "postgres"), /used before/);
  });

  test("that was refused for its address is used up all the same", async () => {
    const gate = aGate();
    const token = await signer.sql("session-console");
    await refused(gate.admitSql(token, "postgres"), /not for SQL/);
    await refused(gate.admitSql(token, "session-console"), /used before/);
  });

  test("is forgotten once it has expired, and is refused then for that", async () => {
    const clock = { seconds: nowSeconds };
    const gate = aGate(clock);
    const token = await signer.sql("postgres", { iat: nowSeconds });
    await gate.admitSql(token, "postgres");
    clock.seconds += 70;
    await gate.admitSql(await signer.sql("postgres", { iat: clock.seconds }), "postgres");
    await refused(gate.admitSql(token, "postgres"), /expired/);
  });

  test("from before the gate was made is refused, as it may have been used", async () => {
    const token = await signer.sql("postgres", { iat: nowSeconds - 2 });
    await refused(aGate().admitSql(token, "postgres"), /before this host program started/);
  });

  test.each([
    ["signed with a key the host does not know", () => stranger.sql("postgres"), /not signed/],
    ["with a kid the host does not know", () => signer.sql("postgres", { kid: "z" }), /not signed/],
    ["for another cluster", () => signer.sql("postgres", { aud: otherId }), /claim aud/],
    ["that lives too long", () => signer.sql("postgres", { exp: nowSeconds + 3600 }), /too long/],
    ["from the future", () => signer.sql("postgres", { iat: nowSeconds + 30 }), /claim iat/],
    ["without a proper jti", () => signer.sql("postgres", { jti: "1" }), /wrong form/],
    ["that is no token", () => Promise.resolve("a.b.c"), /not signed/],
  ])("%s is refused", async (_, make, message) => {
    await refused(aGate().admitSql(await make(), "postgres"), message);
  });

  test("without a signature is refused", async () => {
    const [, payload] = (await signer.sql("postgres")).split(".");
    const header = Buffer.from('{"alg":"none","kid":"key-1"}').toString("base64url");
    await refused(aGate().admitSql(`${header}.${payload}.`, "postgres"), /not signed/);
  });
});
