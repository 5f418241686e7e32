// The three servers of one cluster and the sessions with them: brought up in order, taken down.
import { backrestFiles, configureBackrest } from "./backrest-config.ts";
import { type Backup, makeFirstBackup, openBackup, prepareRepositories } from "./backup.ts";
import { runProgram, writePasswd } from "./binary.ts";
import { authoritiesOf, prepareCertificate } from "./certificate.ts";
import { type HostConfig, layout } from "./config.ts";
import { readWanted, renderTexts, weightsIn } from "./database-file.ts";
import { makePrivateDirectories, writeIfChanged } from "./file.ts";
import { openIncidents } from "./incident.ts";
import { log } from "./log.ts";
import { refuseLostCluster } from "./lost-cluster.ts";
import { configurePooler, consoleSession, isTooOld, poolerProgram } from "./pgbouncer.ts";
import { type PoolMode, renderUsers } from "./pgbouncer-config.ts";
import { backendsOf } from "./plan.ts";
import { configurePostgres, controlSession, initialize, postgresProgram } from "./postgres.ts";
import { prepareCluster, readControlVerifier } from "./prepare.ts";
import { readPreviews } from "./preview-line.ts";
import { controlUser, keepSecrets } from "./secret.ts";
import { createWatch, ensure, type Program, type ProgramId } from "./supervise.ts";
import { openWeights } from "./weight.ts";

const poolModes: readonly PoolMode[] = ["transaction", "session"];

/** Makes the directories and passwords, and what speaks to the servers; starts nothing. */
export function openCluster(config: HostConfig) {
  const paths = layout(config.directory);
  makePrivateDirectories(config.directory, paths.run, paths.pooler, paths.tls, paths.log);
  const { spool, lock, storeLock, log: backrestLog } = backrestFiles(config);
  makePrivateDirectories(paths.repository, paths.backrest, spool, lock, storeLock, backrestLog);
  makePrivateDirectories(paths.metrics);
  writePasswd(config);
  const secrets = keepSecrets(paths.secrets, config.backup.encryption_key);
  const weights = openWeights(config.cgroup, weightsIn(readWanted(config)));
  const control = controlSession(config, secrets, "postgres");
  const consoles = {
    transaction: consoleSession(config, secrets, "transaction"),
    session: consoleSession(config, secrets, "session"),
  };
  const programs = {
    postgres: postgresProgram(config, control),
    transaction: poolerProgram(config, "transaction", consoles.transaction),
    session: poolerProgram(config, "session", consoles.session),
  };
  const incidents = openIncidents(paths.incidents, Date.now);
  const watches = {
    postgres: createWatch(programs.postgres, incidents.tell),
    transaction: createWatch(programs.transaction, incidents.tell),
    session: createWatch(programs.session, incidents.tell),
  };
  return { config, secrets, control, consoles, programs, weights, incidents, watches };
}
export type Cluster = ReturnType<typeof openCluster>;

async function startPostgres(cluster: Cluster, signal: AbortSignal): Promise<Backup> {
  const { config, secrets, control, programs } = cluster;
  const startedAt = performance.now();
  configureBackrest(config, secrets);
  await refuseLostCluster(config, secrets);
  const openssl = (args: readonly string[]) => runProgram(config, "openssl", args);
  const certificate = prepareCertificate(config, openssl);
  const [isNew] = await Promise.all([initialize(config, secrets), certificate]);
  if (isNew) log("info", "Made the cluster", { ms: Math.round(performance.now() - startedAt) });
  const isChanged = configurePostgres(config);
  signal.throwIfAborted();
  const isAdopted = programs.postgres.find() !== undefined;
  if (!isAdopted) await prepareRepositories(config, secrets);
  await ensure(programs.postgres);
  if (isChanged && isAdopted) await control.query("select pg_reload_conf()");
  await prepareCluster(config, secrets, control);
  const backup = await openBackup(config, secrets, control);
  if (isNew) await makeFirstBackup(backup);
  return backup;
}

async function startPooler(cluster: Cluster, mode: PoolMode, verifier: string): Promise<void> {
  const { config, secrets, programs, consoles } = cluster;
  const { databases, hba, users } = renderTexts(config, readWanted(config), readPreviews(config));
  const texts = { databases: databases(mode), hba, users: users(renderUsers(secrets, verifier)) };
  const change = configurePooler(config, mode, texts);
  const isRunning = programs[mode].find() !== undefined;
  const isOld = isRunning && (await isTooOld(consoles[mode]).catch(() => false));
  if (change === "restart" || isOld) await programs[mode].stop();
  await ensure(programs[mode]);
  // Also when no file changed: an earlier program may have ended between a write and its RELOAD.
  await consoles[mode].query("RELOAD");
}

/** Brings all up, adopting what runs. When it fails, what it started is stopped again. */
export async function startCluster(cluster: Cluster, signal: AbortSignal): Promise<Backup> {
  const { config, secrets, control, programs } = cluster;
  const before = Object.values(programs).filter((program) => program.find() !== undefined);
  let backup: Backup;
  try {
    backup = await startPostgres(cluster, signal);
    const verifier = await readControlVerifier(control);
    signal.throwIfAborted();
    const starts = poolModes.map((mode) => startPooler(cluster, mode, verifier));
    // Both have ended, well or not, before anything is stopped again.
    for (const start of await Promise.allSettled(starts)) {
      if (start.status === "rejected") throw start.reason;
    }
  } catch (error) {
    await stopPrograms(Object.values(programs).filter((program) => !before.includes(program)));
    throw error;
  }
  const { control: file } = layout(config.directory);
  const login = { user: controlUser, password: secrets.control_password };
  const [running] = await control.query<{ connections_max: number }>(
    "select current_setting('max_connections')::int as connections_max",
  );
  // A Postgres that was taken over still runs with what it was started with.
  const backendsMax = backendsOf(running?.connections_max ?? 0);
  const facts = { ...login, backends_max: backendsMax, ca_certificates: authoritiesOf(config) };
  writeIfChanged(file, JSON.stringify(facts));
  return backup;
}

/** Makes both poolers read their files; resolves when what they say is in force. */
export async function reloadPoolers({ consoles }: Cluster): Promise<void> {
  await Promise.all(poolModes.map((mode) => consoles[mode].query("RELOAD")));
}

/** The servers that let nobody in, as of the last look. */
export function findNotReady({ watches }: Cluster): ProgramId[] {
  const names = Object.keys(watches) as ProgramId[];
  return names.filter((name) => !watches[name].isReady());
}

async function stopPrograms(programs: readonly Program[]): Promise<void> {
  // Poolers first, so that nobody meets a Postgres that is shutting down.
  const [poolers, postgres] = [true, false].map((isPooler) =>
    programs.filter((program) => (program.name !== "postgres") === isPooler),
  );
  await Promise.all((poolers ?? []).map((program) => program.stop()));
  await Promise.all((postgres ?? []).map((program) => program.stop()));
}

/** Stops all three, Postgres with a fast shutdown. */
export async function stopCluster({ programs }: Cluster): Promise<void> {
  await stopPrograms(Object.values(programs));
}
