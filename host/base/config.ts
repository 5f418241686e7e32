import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import { smallBackends } from "../../src/contract/pool.ts";
import { AbsolutePath, Binaries } from "./binaries.ts";

const Port = z.int().min(1).max(65_535);

/** Linux gives a socket's path 107 bytes; the poolers' own add 35 to the directory. */
const Directory = AbsolutePath.refine(
  (path) => Buffer.byteLength(path) <= 72,
  "at most 72 bytes: the paths of the Unix sockets in it would be too long",
);

export const ControlKey = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().length(43),
  kid: z.string().min(1).max(100),
  use: z.literal("sig").optional(),
  alg: z.enum(["EdDSA", "Ed25519"]).optional(),
});

export type ControlKey = z.infer<typeof ControlKey>;

/** An S3-compatible store for a second copy of everything; pgBackRest speaks TLS alone. */
const S3 = z.strictObject({
  endpoint: z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, "a host name, without https://"),
  /** Where to connect instead, under the same name; a private address of the store. */
  address: z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,253}$/, "a host name or IP address")
    .optional(),
  port: Port.default(443),
  bucket: z.string().regex(/^[A-Za-z0-9.-]{3,63}$/),
  region: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  /** `path` for most stores that are not Amazon's. */
  uri_style: z.enum(["host", "path"]).default("host"),
  key: z.string().regex(/^[!-~]{3,128}$/),
  key_secret: z.string().regex(/^[!-~]{8,256}$/),
  /** Directory in the bucket. */
  prefix: z
    .string()
    .regex(/^(\/[\w.-]+)+$/)
    .default("/miosa"),
  /** Who vouches for the store's certificate, when the system's authorities do not. */
  ca_file: AbsolutePath.optional(),
});

/** How databases are kept recoverable. */
export const BackupSettings = z.strictObject({
  /**
   * The host's secret: keys of repositories and dumps are made of it. Made when absent; with it
   * and the store, all of a host that was lost comes back.
   */
  encryption_key: z
    .string()
    .regex(/^[\w-]{43,}$/, "32 random bytes or more, in base64url")
    .optional(),
  /** Any second of that many days can be recovered. */
  recovery_days: z.int().min(1).max(365).default(7),
  base_backup_days: z.int().min(1).max(3650).default(30),
  s3: S3.optional(),
});

/** Users beside those of databases: the template's, the poolers', copies in the making. */
const spareUids = 100;

export type BackupSettings = z.infer<typeof BackupSettings>;

/** The configuration file of one host program, as JSON. */
export const HostConfig = z
  .strictObject({
    host_id: z.uuid(),
    /** Everything of the host lives here; it belongs to the user the program runs as. */
    directory: Directory,
    binaries: Binaries,
    /**
     * The first of the users that databases run as, each as one of its own: the program has to be
     * root, of the machine or of a namespace. Null: all run as the program's own user.
     */
    first_uid: z.int().min(1).max(4_000_000_000).nullable().default(null),
    /** How many users follow it that are nobody else's. */
    uids_max: z.int().min(spareUids).max(1_000_000).default(10_000),
    listen: z.strictObject({
      address: z.string().refine((address) => isIP(address) !== 0, "an IP address"),
      http_port: Port,
      transaction_port: Port,
      session_port: Port,
    }),
    /** What stands in a DATABASE_URL: a name or an address. */
    public_host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/),
    /** Public keys that may command; private parts are refused. */
    control_keys: z.array(ControlKey).min(1),
    /** Renewed files are seen within a minute, or at once with SIGHUP. */
    tls: z
      .strictObject({
        certificate_file: AbsolutePath,
        key_file: AbsolutePath,
        /** Who vouches for it, when the clients' own systems do not know them. */
        ca_file: AbsolutePath.optional(),
      })
      .optional(),
    databases_max: z.int().min(1).max(5000).default(300),
    /** Backends of all, and clients of one pooler, in place of what host/plan.ts plans. */
    backends_max: z.int().min(smallBackends).max(50_000).optional(),
    clients_max: z.int().min(100).max(1_000_000).optional(),
    /**
     * A control group that is ours to divide among instances; one of each controller where the
     * machine has version 1. See host/instance/group.ts.
     */
    cgroup: z.union([AbsolutePath, z.array(AbsolutePath).max(10)]).optional(),
    backup: BackupSettings.prefault({}),
  })
  .superRefine((config, context) => {
    const complain = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    const { http_port, transaction_port, session_port } = config.listen;
    if (new Set([http_port, transaction_port, session_port]).size < 3) {
      complain("listen", "the ports must differ");
    }
    if (config.tls === undefined && !isLoopback(config)) {
      complain("tls", "is needed, as listen.address and public_host are not both loopback");
    }
    if (config.first_uid !== null && config.uids_max < config.databases_max + spareUids) {
      complain("uids_max", `must be databases_max and ${spareUids} more`);
    }
  });
export type HostConfig = z.infer<typeof HostConfig>;

const loopbackNames = new Set(["127.0.0.1", "::1", "localhost"]);

/** True when nobody outside of this machine can reach the host. */
export function isLoopback(config: Pick<HostConfig, "listen" | "public_host">): boolean {
  return loopbackNames.has(config.listen.address) && loopbackNames.has(config.public_host);
}

/** Reads and checks the file; the error names each wrong field. */
export function readConfig(file: string): HostConfig {
  const parsed = HostConfig.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (parsed.success) return parsed.data;
  throw new Error(`${file} is not a host configuration. ${problemsOf(parsed.error)}.`);
}

/** Names each wrong field. */
export function problemsOf({ issues }: z.ZodError): string {
  return issues
    .map((issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`)
    .join("; ");
}

/** Where things are in the directory, beside those of a fleet and of databases. */
export function layout(directory: string) {
  return {
    pooler: join(directory, "pooler"),
    tls: join(directory, "tls"),
    secrets: join(directory, "secret.json"),
    /** What the host is registered with. */
    registration: join(directory, "host.json"),
    /** When databases fell asleep and woke. */
    transitions: join(directory, "transition.jsonl"),
    /** What happened that nobody asked for, and whether the host program ended in order. */
    incidents: join(directory, "incident.jsonl"),
    running: join(directory, "host.running"),
    /** The state of D1 that was heard of last. */
    mark: join(directory, "mark.json"),
    metrics: join(directory, "metric"),
    dumps: join(directory, "dump"),
  };
}
