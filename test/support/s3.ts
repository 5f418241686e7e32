// Starts an object store for a test, with a certificate of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./client.ts";
import { freePort } from "./port.ts";
import type { S3Fault, S3ServerSettings } from "./s3-server.ts";

const openssl = "/usr/bin/openssl";
const program = fileURLToPath(new URL("./s3-server.ts", import.meta.url));

/** A certificate for this machine and every bucket's name on it, which vouches for itself. */
function makeCertificate(directory: string): string {
  const file = join(directory, "server.crt");
  const names = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1";
  const key = ["-newkey", "rsa:2048", "-noenc", "-keyout", join(directory, "server.key")];
  const subject = ["-subj", "/CN=object store of a test", "-days", "2", "-addext", names];
  execFileSync(openssl, ["req", "-x509", ...key, ...subject, "-out", file], { stdio: "ignore" });
  return file;
}

/** Starts one; `s3` is what a host's configuration says of it. */
export async function startS3() {
  const directory = mkdtempSync(join(tmpdir(), `miosa-s3-${process.pid}-`));
  chmodSync(directory, 0o755);
  const caFile = makeCertificate(directory);
  const login = { key: "AKIATESTS", secret: "a-secret/of+tests", region: "eu-1" };
  const [port, controlPort] = await Promise.all([freePort(), freePort()]);
  const settings: S3ServerSettings = { ...login, bucket: "backups", port, controlPort };
  writeFileSync(join(directory, "server.json"), JSON.stringify(settings));
  const child = spawn(process.execPath, [program, directory], { stdio: "ignore" });
  const command = (fault: S3Fault) =>
    fetch(`http://127.0.0.1:${controlPort}/${fault}`, { method: "POST" }).then(
      () => true,
      () => false,
    );
  await until(
    "the object store",
    () => command("none"),
    (isThere) => isThere,
    20,
  );
  return {
    s3: {
      endpoint: "localhost",
      address: "127.0.0.1",
      port,
      bucket: settings.bucket,
      region: login.region,
      uri_style: "path" as const,
      key: login.key,
      key_secret: login.secret,
      prefix: "/miosa",
      ca_file: caFile,
    },
    directory,
    /** Makes it misbehave, or behave again with `none`. */
    misbehave: command,
    /** How often it has, since it was told to. */
    async faults(): Promise<number> {
      return Number(await (await fetch(`http://127.0.0.1:${controlPort}/`)).text());
    },
    async stop(): Promise<void> {
      const ended = once(child, "exit");
      child.kill();
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}
export type TestS3 = Awaited<ReturnType<typeof startS3>>;
