// The usual way to bring one database of a cluster back, with the tools' defaults: all of the
// cluster's directories, one database's files, recovery to the moment, dump, load.
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { z } from "zod";
import { backrestFiles, stanza } from "../host/backrest-config.ts";
import { runProgram, startServer } from "../host/binary.ts";
import { HostConfig } from "../host/config.ts";
import { endProcess, findProcess } from "../host/process.ts";
import { onEnd } from "./ending.ts";
import { hostProcess, type Installation } from "./installation.ts";
import { timed } from "./statistics.ts";

const port = 2;
const loaded = "peer_loaded";
const ownName = "restore-peer.ts";

/** Milliseconds until a database could be read beside the cluster, and until it was back in it. */
const PeerTimes = z.object({ readable: z.number(), loaded: z.number() });
type PeerTimes = z.infer<typeof PeerTimes>;

/** Where the peer works, and on what. */
interface Peer {
  readonly config: HostConfig;
  readonly directory: string;
  readonly data: string;
  readonly superuser: Installation["superuser"];
  readonly database: string;
}

async function restoreFiles(peer: Peer, oid: number, moment: string): Promise<void> {
  const { config, directory, data } = peer;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  await runProgram(config, "pgbackrest", [
    `--config=${backrestFiles(config).config}`,
    `--stanza=${stanza}`,
    `--pg1-path=${data}`,
    `--lock-path=${join(directory, "lock")}`,
    `--db-include=${oid}`,
    "--type=time",
    `--target=${moment}`,
    "--target-action=promote",
    "--archive-mode=off",
    "restore",
  ]);
  const settings = `port = ${port}\nunix_socket_directories = '${directory}'\nssl = off\n`;
  appendFileSync(join(data, "postgresql.auto.conf"), `listen_addresses = ''\n${settings}`);
}

// What a server that starts or recovers says, and a socket that is not there yet.
const startingCodes: ReadonlySet<string> = new Set(["57P03", "ENOENT", "ECONNREFUSED"]);

/** A connection; undefined while it takes nobody yet. */
async function connect({ directory, superuser, database }: Peer): Promise<pg.Client | undefined> {
  // By default the superuser finds nothing of a tenant's without its schema.
  const options = "-c search_path=public";
  const client = new pg.Client({ ...superuser, host: directory, port, database, options });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    if (!startingCodes.has(String((error as { code?: unknown }).code))) throw error;
    return undefined;
  }
}

async function isReadable(peer: Peer): Promise<boolean> {
  const client = await connect(peer);
  if (client === undefined) return false;
  try {
    const { rows } = await client.query("select pg_is_in_recovery() as is_replaying");
    if (rows[0].is_replaying) return false;
    await client.query("select count(*) from ledger");
    return true;
  } finally {
    await client.end();
  }
}

async function replay(peer: Peer): Promise<void> {
  const log = join(peer.directory, "log");
  const server = startServer(peer.config, "postgres", ["-D", peer.data], log);
  const ended = server.exited.then(() => {
    throw new Error(`The peer's Postgres ended: ${readFileSync(log, "utf8").slice(-2000)}`);
  });
  const readable = async () => {
    while (!(await isReadable(peer))) await delay(25);
  };
  await Promise.race([readable(), ended]);
  ended.catch(() => undefined);
}

async function moveBack({ config, directory, superuser, database }: Peer): Promise<void> {
  const { host, user, password } = superuser;
  const secrets = { PGPASSWORD: password };
  const file = join(directory, "dump");
  const from = ["-h", directory, "-p", String(port), "-U", user, "-d", database];
  await runProgram(config, "pg_dump", [...from, "-Fc", "-f", file], { secrets });
  const to = ["-h", host, "-U", user, "-d", loaded, "--no-owner", "--no-privileges", file];
  await runProgram(config, "pg_restore", to, { secrets });
}

async function remove({ directory, data }: Peer): Promise<void> {
  const identity = { program: "postgres", argument: data };
  const pid = findProcess(join(data, "postmaster.pid"), identity);
  if (pid !== undefined) await endProcess(pid, identity, "SIGQUIT", 30);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

async function play(peer: Peer, oid: number, moment: string): Promise<PeerTimes> {
  const live = new pg.Client({ ...peer.superuser, database: "postgres" });
  await live.connect();
  try {
    await live.query(`create database ${loaded} template template0`);
    const readable = await timed(async () => {
      await restoreFiles(peer, oid, moment);
      await replay(peer);
    });
    const { milliseconds } = await timed(() => moveBack(peer));
    return { readable: readable.milliseconds, loaded: readable.milliseconds + milliseconds };
  } finally {
    await live.query(`drop database if exists ${loaded} with (force)`);
    await live.end();
    await remove(peer);
  }
}

const Task = z.object({
  hostFile: z.string(),
  superuser: z.object({ user: z.string(), password: z.string() }),
  database: z.string(),
  oid: z.int(),
  moment: z.string(),
});

/**
 * Has the peer bring back what had an oid at a moment. It works in a process of its own, as the
 * cluster's user: Postgres never runs as root.
 */
export async function restoreByHand(
  installation: Installation,
  task: { readonly database: string; readonly oid: number; readonly moment: string },
): Promise<PeerTimes> {
  const { prefix, node, repository, hostFile } = hostProcess(installation);
  const [program = "", ...args] = [...prefix, node, join(repository, "bench", ownName)];
  const child = spawn(program, args, { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
  onEnd(() => child.kill("SIGKILL"));
  const { user, password } = installation.superuser;
  child.stdin.end(JSON.stringify({ hostFile, superuser: { user, password }, ...task }));
  const said = await text(child.stdout);
  if (said === "") throw new Error("The peer failed; what it said is above.");
  return PeerTimes.parse(JSON.parse(said));
}

if (process.argv[1] === import.meta.filename) {
  const {
    hostFile,
    superuser: login,
    database,
    oid,
    moment,
  } = Task.parse(JSON.parse(await text(process.stdin)));
  const config = HostConfig.parse(JSON.parse(readFileSync(hostFile, "utf8")));
  const directory = join(config.directory, "peer");
  const superuser = { ...login, host: join(config.directory, "run") };
  const peer = { config, directory, data: join(directory, "data"), superuser, database };
  process.stdout.write(JSON.stringify(await play(peer, oid, moment)));
}
