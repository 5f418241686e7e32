// A receiver of webhooks over TLS whose certificate is changed while it runs, in the process of the
// test runner: workerd, in which the tests are, opens no port. PUT /NAME at its control port makes
// a certificate the one of all later connections, and says how many requests came by then.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

const here = "subjectAltName=IP:127.0.0.1";
const certificates = {
  first: { names: here, isTrusted: true },
  second: { names: here, isTrusted: true },
  stranger: { names: here, isTrusted: false },
  "other name": { names: "subjectAltName=DNS:other.example.com", isTrusted: true },
} as const;
type Name = keyof typeof certificates;
const names = Object.keys(certificates) as Name[];

const fileOf = (directory: string, name: Name) => join(directory, encodeURIComponent(name));

// Each vouches for itself; its key is in the same file.
function makeCertificate(directory: string, name: Name): string {
  const file = fileOf(directory, name);
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const subject = ["-subj", `/CN=${name}`, "-days", "2", "-addext", certificates[name].names];
  const out = ["-keyout", `${file}.key`, "-out", `${file}.crt`];
  execFileSync("/usr/bin/openssl", ["req", "-x509", ...kind, ...subject, ...out], {
    stdio: "ignore",
  });
  return readFileSync(`${file}.crt`, "utf8");
}

function makeCertificates(): string {
  const directory = mkdtempSync(join(tmpdir(), "miosa-tls-receiver-"));
  const trusted = names
    .map((name) => ({ name, text: makeCertificate(directory, name) }))
    .filter(({ name }) => certificates[name].isTrusted);
  writeFileSync(join(directory, "trusted.pem"), trusted.map(({ text }) => text).join(""));
  return directory;
}

// The configuration and what it names are two copies of this module in one process.
process.env.MIOSA_TEST_CERTIFICATES ??= makeCertificates();
const directory = process.env.MIOSA_TEST_CERTIFICATES;

/** The certificates that the tests' workerd is to trust, in one file. */
export const trustedFile = join(directory, "trusted.pem");

function pairOf(name: Name) {
  const file = fileOf(directory, name);
  return { cert: readFileSync(`${file}.crt`), key: readFileSync(`${file}.key`) };
}

async function listening(server: ReturnType<typeof createHttpServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Runs before the first file; what it returns runs after the last. */
export async function setup(project: TestProject) {
  let received = 0;
  const server = createServer(pairOf("first"), (request, response) => {
    received++;
    request.resume();
    // The next one comes by a connection of its own.
    response.writeHead(204, { connection: "close" }).end();
  });
  const control = createHttpServer((request, response) => {
    const name = names.find((each) => `/${encodeURIComponent(each)}` === request.url);
    if (name !== undefined) server.setSecureContext(pairOf(name));
    response.writeHead(name === undefined ? 404 : 200).end(String(received));
  });
  project.provide("tlsReceiver", {
    url: `https://127.0.0.1:${await listening(server)}/hooks`,
    control: `http://127.0.0.1:${await listening(control)}`,
  });
  return () => {
    for (const each of [server, control]) each.close();
    rmSync(directory, { recursive: true });
  };
}
