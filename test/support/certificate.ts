// Certificates that vouch for themselves, with their keys.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate and its key in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Makes a pair in a directory, for this machine, good for two days. */
export function makePair(directory: string, name: string): Pair {
  const [certificate, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const subject = ["-subj", `/CN=${name}`, "-days", "2", ...names];
  const out = ["-keyout", key, "-out", certificate];
  execFileSync("/usr/bin/openssl", ["req", "-x509", ...kind, ...subject, ...out], {
    stdio: "ignore",
  });
  return { cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
}
