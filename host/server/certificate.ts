// The certificate of poolers and HTTP: the operator's, or on loopback one of this host's own CA.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { type HostConfig, layout } from "../base/config.ts";
import { readIfExists, writeAtomically, writeIfChanged } from "../base/file.ts";

const renewBeforeDays = 30;
const certificateDays = 800;
const authorityDays = 7300;

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];

/** What is asked for of a certificate, and in which directory the host lives. */
type CertificateConfig = Pick<HostConfig, "directory" | "public_host" | "tls">;

/** Runs openssl, which may write in `tls/`. */
type OpenSsl = (args: readonly string[]) => Promise<unknown>;

/** Names and addresses a certificate must be good for. */
function alternativeNames(config: CertificateConfig): string {
  const names = new Set(["localhost", "127.0.0.1", "::1", config.public_host]);
  return [...names].map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`).join(",");
}

function isGood(certificate: string | undefined, publicHost: string): boolean {
  if (certificate === undefined) return false;
  const parsed = new X509Certificate(certificate);
  const days = (Date.parse(parsed.validTo) - Date.now()) / 86_400_000;
  const named = isIP(publicHost) ? parsed.checkIP(publicHost) : parsed.checkHost(publicHost);
  return named !== undefined && days > renewBeforeDays;
}

async function makeAuthority(openssl: OpenSsl, certificate: string, key: string) {
  const part = `${certificate}.new`;
  const subject = ["-subj", "/CN=MIOSA Postgres host CA", "-days", String(authorityDays)];
  const rules = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const files = ["-keyout", key, "-out", part];
  await openssl(["req", "-x509", ...newKey, ...subject, ...rules, ...files]);
  writeAtomically(certificate, readFileSync(part, "utf8"));
  rmSync(part);
}

async function makeOwn(config: CertificateConfig, openssl: OpenSsl): Promise<void> {
  const { tls } = layout(config.directory);
  const at = (name: string) => join(tls, name);
  if (isGood(readIfExists(at("server.crt")), config.public_host)) return;
  if (readIfExists(at("ca.crt")) === undefined) {
    await makeAuthority(openssl, at("ca.crt"), at("ca.key"));
  }
  const signed = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-days", String(certificateDays)];
  const names = ["-addext", `subjectAltName=${alternativeNames(config)}`];
  const rules = ["-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=CA:FALSE"];
  const subject = ["-subj", "/CN=MIOSA Postgres host"];
  const files = ["-keyout", at("server.key.new"), "-out", at("server.crt.new")];
  await openssl([
    ...["req", "-x509", ...newKey],
    ...[...subject, ...names, ...rules, ...signed, ...files],
  ]);
  for (const name of ["server.key", "server.crt"]) {
    writeAtomically(at(name), readFileSync(at(`${name}.new`), "utf8"));
    rmSync(at(`${name}.new`));
  }
}

/**
 * Brings `tls/server.crt` and `tls/server.key` up to date; true when they changed. The operator's
 * files are copied, so that a server in a sandbox sees their renewal; a pair that does not fit, or
 * is over, is refused, and what is in use stays.
 */
export async function prepareCertificate(
  config: CertificateConfig,
  openssl: OpenSsl,
): Promise<boolean> {
  const { tls } = layout(config.directory);
  const file = join(tls, "server.crt");
  const before = readIfExists(file);
  if (config.tls === undefined) {
    await makeOwn(config, openssl);
  } else {
    const { certificate, key } = readPair(config.tls);
    writeIfChanged(join(tls, "server.key"), key);
    writeIfChanged(file, certificate);
  }
  return readFileSync(file, "utf8") !== before;
}

/** Who vouches for the certificate, in PEM; undefined when every system knows them. */
export function authoritiesOf({
  directory,
  tls,
}: Pick<HostConfig, "directory" | "tls">): string | undefined {
  if (tls === undefined) return readIfExists(join(layout(directory).tls, "ca.crt"));
  return tls.ca_file === undefined ? undefined : readFileSync(tls.ca_file, "utf8");
}

// Between the renewal of one file and that of the other the two do not fit.
function readPair({ certificate_file, key_file }: NonNullable<HostConfig["tls"]>) {
  const certificate = readFileSync(certificate_file, "utf8");
  const key = readFileSync(key_file, "utf8");
  const parsed = new X509Certificate(certificate);
  if (!parsed.checkPrivateKey(createPrivateKey(key))) {
    throw new Error("tls.key_file is not the key of tls.certificate_file: give those of one pair.");
  }
  if (Date.parse(parsed.validTo) < Date.now()) {
    throw new Error(`tls.certificate_file ended ${parsed.validTo}: give one that is valid.`);
  }
  return { certificate, key };
}
