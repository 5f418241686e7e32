// A certificate that is renewed while clients of a host of instances are at work.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, getCACertificates, setDefaultCACertificates, type TLSSocket } from "node:tls";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makePair, type Pair } from "../support/certificate.ts";
import { until } from "../support/client.ts";
import {
  type HostProgram,
  type ProgramDatabase,
  startHostProgram,
} from "../support/host-program.ts";

const modes = ["transaction", "session"] as const;
const trustedBefore = getCACertificates();

let home: string;
let host: HostProgram;
let one: ProgramDatabase;
let first: Pair;
let second: Pair;

const file = (name: string) => join(home, name);
function give({ cert, key }: Partial<Pair>): void {
  if (key !== undefined) writeFileSync(file("given.key"), key, { mode: 0o644 });
  if (cert !== undefined) writeFileSync(file("given.crt"), cert, { mode: 0o644 });
}

beforeAll(async () => {
  // Whoever runs the host must be able to enter.
  home = mkdtempSync(join(tmpdir(), "miosa-certificate-"));
  chmodSync(home, 0o755);
  [first, second] = [makePair(home, "first"), makePair(home, "second")];
  writeFileSync(file("ca.pem"), first.cert + second.cert);
  setDefaultCACertificates([...trustedBefore, first.cert, second.cert]);
  give(first);
  const tls = { certificate_file: file("given.crt"), key_file: file("given.key") };
  // Not loopback by name: TLS is asked of everybody.
  host = await startHostProgram({
    ...{ tls: { ...tls, ca_file: file("ca.pem") }, public_host: "db.example.com" },
  });
  one = await host.create("proj_test_tls");
});
afterAll(async () => {
  setDefaultCACertificates(trustedBefore);
  await host?.stop();
  rmSync(home, { recursive: true });
});

/** As `sslmode=verify-full` connects. */
const connected = (mode: (typeof modes)[number]) =>
  host.connect(one, mode, { ssl: { ca: first.cert + second.cert } });

/** Whose certificate a connection was made with. */
function nameOf(stream: unknown): string | undefined {
  return String((stream as TLSSocket).getPeerCertificate().subject.CN);
}
const streamOf = (client: Client) =>
  (client as unknown as { connection: { stream: unknown } }).connection.stream;

async function nameOverHttps(): Promise<string | undefined> {
  const socket = connect({ host: "127.0.0.1", port: host.config.listen.http_port });
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  const name = nameOf(socket);
  socket.destroy();
  return name;
}

async function namesOfNew(): Promise<(string | undefined)[]> {
  const clients = await Promise.all(modes.map(connected));
  const names = clients.map((client) => nameOf(streamOf(client)));
  await Promise.all(clients.map((client) => client.end()));
  return [...names, await nameOverHttps()];
}

test("nobody comes in without TLS", async () => {
  for (const mode of modes) await expect(host.connect(one, mode)).rejects.toThrow(/SSL required/);
});

test("the host's own probe is let in by both ways", async () => {
  const login = { database: one.name, user: one.login, password: one.password };
  await host.command("database.probe", { login, by: "address" });
  await host.command("database.probe", { login, by: "socket" });
});

test("a renewed certificate serves new clients, and drops none", async () => {
  expect(await namesOfNew()).toEqual(["first", "first", "first"]);
  const clients = await Promise.all([...modes, ...modes].map(connected));
  let isOver = false;
  const done = clients.map(() => 0);
  const work = async (client: Client, at: number) => {
    for (; !isOver; done[at] = (done[at] ?? 0) + 1) {
      await client.query("begin");
      await client.query("select pg_sleep(0.01)");
      await client.query("commit");
    }
  };
  const working = Promise.all(clients.map(work));
  // The key of one with the certificate of another is refused: nobody meets it.
  give({ key: second.key });
  host.signal("SIGHUP");
  expect(await namesOfNew()).toEqual(["first", "first", "first"]);
  give(second);
  host.signal("SIGHUP");
  await until("the new one", namesOfNew, (names) => names.join() === "second,second,second");
  const before = [...done];
  await until(
    "more work of the clients of before",
    async () => done,
    (now) => now.every((each, at) => each > (before[at] ?? 0)),
  );
  isOver = true;
  await working;
  expect(clients.map((client) => nameOf(streamOf(client)))).toEqual(clients.map(() => "first"));
  await Promise.all(clients.map((client) => client.end()));
});
