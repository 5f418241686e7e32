// The usual way to bring one database of a cluster back, with the tools' defaults: all of the
// cluster's directories, one database's files, recovery to the moment, dump, load.
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { z } from "zod";
import { backrestFiles, stanza } from "../host/backrest-config.ts";
import { runProgram, startServer } from "../host/binary.ts";
import { HostConfig } from "../host/config.ts";
import { endProcess, findProcess } from "../host/process.ts";
import type { Installation } from "./installation.ts";
import { timed } from "./statistics.ts";

const port = 2;
const loaded = "peer_loaded";

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

async function isReadable({ directory, superuser, database }: Peer): Promise<boolean> {
  const client = new pg.Client({ ...superuser, host: directory, port, database });
  try {
    await client.connect();
    const { rows } = await client.query("select pg_is_in_recovery() as is_replaying");
    if (rows[0].is_replaying) return false;
    await client.query("select count(*) from ledger");
    return true;
  } catch {
    // It takes nobody yet.
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function replay(peer: Peer): Promise<void> {
  startServer(peer.config, "postgres", ["-D", peer.data], join(peer.directory, "log"));
  while (!(await isReadable(peer))) await delay(25);
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
  superuser: z.object({ host: z.string(), user: z.string(), password: z.string() }),
  database: z.string(),
  oid: z.int(),
  moment: z.string(),
});

/**
 * Has the peer bring back what had an oid at a moment. It works in a process of its own, as the
 * cluster's user: Postgres never runs as root.
 */
export async function restoreByHand(
  { hostFile, superuser }: Installation,
  task: { readonly database: string; readonly oid: number; readonly moment: string },
): Promise<PeerTimes> {
  const { uid, gid } = statSync(dirname(hostFile));
  const child = spawn(process.execPath, [import.meta.filename], {
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    cwd: "/",
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify({ hostFile, superuser, ...task }));
  return PeerTimes.parse(JSON.parse(await text(child.stdout)));
}

if (process.argv[1] === import.meta.filename) {
  const { hostFile, superuser, database, oid, moment } = Task.parse(
    JSON.parse(await text(process.stdin)),
  );
  const config = HostConfig.parse(JSON.parse(readFileSync(hostFile, "utf8")));
  const directory = join(config.directory, "peer");
  const peer = { config, directory, data: join(directory, "data"), superuser, database };
  process.stdout.write(JSON.stringify(await play(peer, oid, moment)));
}
