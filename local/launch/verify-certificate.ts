// Checks a restore certificate without asking anybody:
//
//   npm run verify-certificate -- CERTIFICATE.json [KEYS.json]
//
// CERTIFICATE.json   what GET /api/v1/certificates/:id answered
// KEYS.json          what GET /.well-known/miosa-certificate-keys answered; without it, the running
//                    system of MIOSA_HOME is asked
//
// Prints what it certifies and exits with 0; with 1 when it is not as it was signed, or when what
// it certifies did not pass; with 2 when it cannot be read. Node alone, no package.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "../../src/contract/canonical.ts";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function fieldsOf(value: unknown, what: string): Fields {
  if (isFields(value)) return value;
  throw new Error(`${what} is missing.`);
}

function readJson(file: string): Fields {
  const { data, ...rest } = fieldsOf(JSON.parse(readFileSync(file, "utf8")), file);
  return isFields(data) ? data : rest;
}

async function readKeys(file: string | undefined): Promise<Fields> {
  if (file !== undefined) return readJson(file);
  const home = process.env.MIOSA_HOME ?? ".miosa";
  const { root_url: url } = readJson(join(home, "dev.json"));
  const response = await fetch(`${url}/.well-known/miosa-certificate-keys`);
  return fieldsOf(await response.json(), "The list of keys");
}

/** True when one of the keys has signed exactly this certificate. */
function isSigned(certificate: Fields, keys: Fields): boolean {
  const { signature, ...signed } = certificate;
  const { key_id: kid, value } = fieldsOf(signature, "The signature");
  const list: unknown[] = Array.isArray(keys.keys) ? keys.keys : [];
  const found = list.filter(isFields).find((key) => key.kid === kid);
  if (found === undefined) throw new Error(`No key ${kid} is in the list of keys.`);
  const key = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: String(found.x) },
    format: "jwk",
  });
  const bytes = Buffer.from(canonicalJson(signed));
  return verify(null, bytes, key, Buffer.from(String(value), "base64url"));
}

function describe(certificate: Fields): string {
  const { id, database_id, result, finished_at } = certificate;
  const { label } = fieldsOf(certificate.backup, "The backup");
  const { at } = fieldsOf(certificate.restored_to, "The point");
  const checks = Array.isArray(certificate.checks) ? certificate.checks.filter(isFields) : [];
  const lines = checks.map((check) => `  ${check.result} ${check.name}: ${check.detail}`);
  const head =
    `Signed: certificate ${id} of ${finished_at}. Database ${database_id}, ` +
    `restored from base backup ${label} to ${at}: ${result}.`;
  return [head, ...lines].join("\n");
}

async function main([file, keysFile]: readonly string[]): Promise<number> {
  if (file === undefined) throw new Error("Say which certificate: CERTIFICATE.json [KEYS.json].");
  const certificate = readJson(file);
  if (!isSigned(certificate, await readKeys(keysFile))) {
    process.stderr.write("Not valid: the certificate is not as it was signed.\n");
    return 1;
  }
  process.stdout.write(`${describe(certificate)}\n`);
  return certificate.result === "passed" ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
