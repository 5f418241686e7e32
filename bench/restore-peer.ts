// The usual way to bring one database of a cluster back, with the tools' defaults: all of the
// cluster's directories, one database's files, recovery to the moment, dump, load.
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { backrestFiles, stanza } from "../host/backrest-config.ts";
import { runProgram, startServer } from "../host/binary.ts";
import { HostConfig } from "../host/config.ts";
import { endProcess, findProcess } from "../host/process.ts";
import type { Installation } from "./installation.ts";
import { timed } from "./statistics.ts";

const port = 2;
const loaded = "peer_loaded";

/** Milliseconds until a database could be read beside the cluster, and until it was back in it. */
export interface PeerTimes {
  readonly readable: number;
  readonly loaded: number;
}

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

/** The peer for one database; each call restores what then had an oid. */
export function createRestorePeer(installation: Installation, database: string) {
  const config = HostConfig.parse(JSON.parse(readFileSync(installation.hostFile, "utf8")));
  const directory = join(config.directory, "peer");
  const { superuser } = installation;
  const peer: Peer = { config, directory, data: join(directory, "data"), superuser, database };
  return async (oid: number, moment: string): Promise<PeerTimes> => {
    const live = new pg.Client({ ...superuser, database: "postgres" });
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
  };
}
