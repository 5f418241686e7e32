// What comes of a command, and of a look, over the wire.
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { protocolVersion } from "../../src/contract/protocol.ts";
import { HostRefusal, Unreached } from "../../src/core/error.ts";
import type { HostPort } from "../../src/core/host-port.ts";
import { hostPort } from "../../src/host/command.ts";
import { readHostKey } from "../../src/host/token.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { anInstallation, hostId } from "../support/seed.ts";

interface Sent {
  readonly url: string;
  readonly init: RequestInit;
}

let house: TestContext;
let port: HostPort;
/** What the host answers next, and what was sent to it. */
let answers: (() => Promise<Response>)[];
let sent: Sent[];
beforeEach(async () => {
  house = await createTestContext();
  await anInstallation(house.context);
  [answers, sent] = [[], []];
  const { now, random } = house.context;
  port = hostPort(house.context, {
    ...{ now, random },
    hostKey: await readHostKey(env.MIOSA_HOST_KEY),
    fetch: async (input, init = {}) => {
      sent.push({ url: String(input), init });
      const [answer] = answers.splice(0, 1);
      if (answer === undefined) throw new TypeError("Network connection lost.");
      return answer();
    },
  });
});

function answer(status: number, body: unknown, version: number | null = protocolVersion) {
  const headers = { ...(version === null ? {} : { "x-miosa-protocol": String(version) }) };
  answers.push(async () => Response.json(body, { status, headers }));
}

const probe = () => port.command(hostId, "inventory", {});
const report = { databases: [], aside: [] };

describe("a command", () => {
  it("is signed for its host and its very body, and answered with its report", async () => {
    answer(200, { report });
    expect(await probe()).toEqual(report);
    const [{ url, init }] = sent as [Sent];
    expect(url).toBe("http://127.0.0.1:1/commands");
    expect(JSON.parse(String(init.body))).toEqual({ command: "inventory", input: {} });
    const headers = new Headers(init.headers);
    expect(headers.get("x-miosa-protocol")).toBe(String(protocolVersion));
    const [, claims = ""] = (headers.get("authorization") ?? "").split(".");
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
      aud: hostId,
      scope: "command",
    });
  });

  it("that is refused throws the host's own status and code", async () => {
    answer(404, { error: { code: "unknown_database", message: "There is no proj_x." } });
    const refusal = await probe().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(HostRefusal);
    expect(refusal).toMatchObject({ status: 404, code: "unknown_database" });
  });

  it("that surely did not arrive is told from one that may have", async () => {
    for (const status of [521, 522, 523]) {
      answer(status, "away", null);
      await expect(probe()).rejects.toBeInstanceOf(Unreached);
    }
    await expect(probe()).rejects.not.toBeInstanceOf(Unreached);
    answer(502, "broken", null);
    await expect(probe()).rejects.not.toBeInstanceOf(Unreached);
  });

  it.each([null, 2, protocolVersion + 2])("of a host of version %s says so", async (version) => {
    answer(200, { report }, version);
    await expect(probe()).rejects.toThrow(/speaks version \d of the protocol/);
  });

  it("takes no answer that is none", async () => {
    answer(200, { report: { databases: [{ database: "proj_x" }], aside: [] } });
    await expect(probe()).rejects.toThrow();
  });
});

describe("a look whether a host is ready", () => {
  it("names what is not, and is unreached where nobody answers", async () => {
    answer(200, { ready: true });
    await port.checkReady(hostId);
    answer(503, { not_ready: ["session", "disk"] });
    await expect(port.checkReady(hostId)).rejects.toThrow("session, disk does not answer");
    await expect(port.checkReady(hostId)).rejects.toBeInstanceOf(Unreached);
  });
});

describe("a proof", () => {
  const place = {
    ...{ hostUrl: "https://eu-1.example.com", publicHost: "eu-1.example.com" },
    ...{ transactionPort: 6432, sessionPort: 6433 },
  };
  const { listen, ...facts } = {
    ...{ postgres_version: "17.6", pgbouncer_version: "1.26.1", pgbackrest_version: "2.55.1" },
    ...{ started_at: "2026-01-01T00:00:00.000Z", disk_free_bytes: 1, disk_total_bytes: 2 },
    ...{ memory_total_bytes: 1, memory_available_bytes: 1, processors: 1 },
    ...{ protocol: protocolVersion, identity: "one", databases_max: 1, backends_max: 1 },
    ...{ instances: 0, instances_running: 0 },
    listen: { public_host: "eu-1.example.com", transaction_port: 6432, session_port: 6433 },
  };
  const healthy = () => answer(200, { ready: true, protocol: protocolVersion });

  it("gives what a host says of itself", async () => {
    healthy();
    answer(200, { report: { ...facts, listen } });
    expect(await port.prove(hostId, place)).toEqual({ ...facts, listen });
  });

  it("names the field that does not hold", async () => {
    const proved = () => port.prove(hostId, place);
    await expect(proved()).rejects.toThrow(/^host_url: no host of ours answers there/);
    answer(200, { ready: true, protocol: 1 });
    await expect(proved()).rejects.toThrow(/^host_url: it speaks version 1/);
    healthy();
    answer(401, { error: { code: "wrong_token", message: "It is for another host." } });
    await expect(proved()).rejects.toThrow(/^id: it does not take our commands/);
    healthy();
    answer(200, { report: { ...facts, listen: { ...listen, session_port: 1 } } });
    await expect(proved()).rejects.toThrow(/^session_port: is 1 in the host's own/);
  });
});
