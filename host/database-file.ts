// What is wanted of single databases: kept in one file, rendered into the poolers' files. Calls
// that come within a few milliseconds share one write and one RELOAD.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { DatabaseName } from "../src/contract/database.ts";
import { defaultPools, PoolLimits } from "../src/contract/pool.ts";
import { Cidr, type DatabaseSettings, defaultSettings } from "../src/contract/setting.ts";
import { type HostConfig, layout } from "./config.ts";
import { readIfExists, writeAtomically, writeIfChanged } from "./file.ts";
import { type PoolMode, poolerFiles, renderHba, renderLine } from "./pgbouncer-config.ts";
import {
  type PoolerPreview,
  type PreviewsByName,
  previewFile,
  readPreviews,
  renderPreviewHba,
  renderPreviewLines,
  withPreviewUsers,
} from "./preview-line.ts";

const Wanted = z.object({
  /** Limits in the poolers; without them those of the size `small`. */
  transaction: PoolLimits.optional(),
  session: PoolLimits.optional(),
  /** `stopped` by its owner, `suspended` by this host; absent before its first of either. */
  state: z.enum(["running", "suspended", "stopped"]).optional(),
  /** 0 and absent: never. */
  suspend_after_seconds: z.int().optional(),
  /** Private memory of one backend; absent: what every backend is born with. */
  bytes_per_backend: z.int().optional(),
  /** Share of the processors; absent: that of the size `small`. */
  cpu_weight: z.int().optional(),
  /** Who may connect; absent or empty: everybody. */
  allowed_addresses: z.array(Cidr).optional(),
});
/** What is wanted of one database. */
export type Wanted = z.infer<typeof Wanted>;
export type WantedByDatabase = ReadonlyMap<string, Wanted>;

/** The settings of a database, with what it was never given filled in. */
export function settingsIn(wanted: Wanted): DatabaseSettings {
  const { suspend_after_seconds, bytes_per_backend, cpu_weight, allowed_addresses } = wanted;
  return {
    transaction: wanted.transaction ?? defaultSettings.transaction,
    session: wanted.session ?? defaultSettings.session,
    suspend_after_seconds: suspend_after_seconds ?? defaultSettings.suspend_after_seconds,
    bytes_per_backend: bytes_per_backend ?? defaultSettings.bytes_per_backend,
    cpu_weight: cpu_weight ?? defaultSettings.cpu_weight,
    allowed_addresses: allowed_addresses ?? defaultSettings.allowed_addresses,
  };
}

/** The weights of databases that have one of their own. */
export function weightsIn(all: WantedByDatabase): Map<string, number> {
  return new Map([...all].map(([database, wanted]) => [database, settingsIn(wanted).cpu_weight]));
}

/** True for a database the poolers need no line for: it has what all have, and was never held. */
function hasDefaults(wanted: Wanted, mode: PoolMode): boolean {
  const { pool_size, client_connections_max } = defaultPools[mode];
  const limits = wanted[mode] ?? defaultPools[mode];
  const isDefault =
    limits.pool_size === pool_size && limits.client_connections_max === client_connections_max;
  return isDefault && wanted.state === undefined;
}

const gatherMilliseconds = 3;

function wantedFile(config: HostConfig): string {
  return join(layout(config.directory).pooler, "databases.json");
}

/** What is wanted of each database, as kept on disk. */
export function readWanted(config: HostConfig): Map<string, Wanted> {
  const kept = readIfExists(wantedFile(config));
  if (kept === undefined) return new Map();
  return new Map(Object.entries(z.record(DatabaseName, Wanted).parse(JSON.parse(kept))));
}

/**
 * The include file of one pooler: a line for each database of which anything is wanted. Once there
 * a line stays, as long as the database: PgBouncer ends the clients of one that loses its line.
 */
function renderLimits(config: HostConfig, all: WantedByDatabase, mode: PoolMode): string {
  const before = readIfExists(poolerFiles(config, mode).databases) ?? "";
  const lined = new Set(Array.from(before.matchAll(/^(\w+) = /gm), ([, name]) => name));
  const lines = [...all]
    .filter(([database, wanted]) => lined.has(database) || !hasDefaults(wanted, mode))
    .map(([database, wanted]) => {
      return `${renderLine(config, database, wanted[mode] ?? defaultPools[mode])}\n`;
    });
  return `[databases]\n${lines.join("")}`;
}

/** The addresses that may reach the databases not open to everybody. */
function addressesOf(all: WantedByDatabase): Map<string, readonly string[]> {
  const pairs = [...all].map(([database, wanted]) => {
    return [database, wanted.allowed_addresses ?? []] as const;
  });
  return new Map(pairs.filter(([, addresses]) => addresses.length > 0));
}

/** What the poolers' files say of single databases and of previews. */
export function renderTexts(config: HostConfig, all: WantedByDatabase, previews: PreviewsByName) {
  return {
    databases: (mode: PoolMode) =>
      renderLimits(config, all, mode) + renderPreviewLines(previews, mode),
    hba: renderPreviewHba(previews) + renderHba(addressesOf(all)),
    users: (platform: string) => withPreviewUsers(platform, previews),
  };
}

/** Writes everything; true when a pooler has to read its files again. */
function write(config: HostConfig, all: WantedByDatabase, previews: PreviewsByName): boolean {
  writeAtomically(wantedFile(config), JSON.stringify(Object.fromEntries(all)));
  writeAtomically(previewFile(config), JSON.stringify(Object.fromEntries(previews)));
  const texts = renderTexts(config, all, previews);
  const { hba, users } = poolerFiles(config, "session");
  const changes = [
    ...(["transaction", "session"] as const).map((mode) =>
      writeIfChanged(poolerFiles(config, mode).databases, texts.databases(mode)),
    ),
    writeIfChanged(hba, texts.hba),
    writeIfChanged(users, texts.users(readIfExists(users) ?? "")),
  ];
  return changes.includes(true);
}

/** Reads and changes what is wanted. */
export interface DatabaseFile {
  readonly all: WantedByDatabase;
  /**
   * Resolves when the change is on disk and read by both poolers. A field that is `undefined` is
   * taken away; `undefined` for all of it forgets the database.
   */
  change(database: string, fields: Partial<Wanted> | undefined): Promise<void>;
  readonly previews: PreviewsByName;
  /** The same for a preview; `undefined` forgets it and ends its clients' connections. */
  changePreview(name: string, preview: PoolerPreview | undefined): Promise<void>;
}

/** `reload` makes both poolers read their files; rejects when one did not. */
export function openDatabaseFile(config: HostConfig, reload: () => Promise<void>): DatabaseFile {
  const all = readWanted(config);
  const previews = readPreviews(config);
  let gathering: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  // After a failed RELOAD the poolers' memory is unknown: the next call reloads in any case.
  let inForce = true;

  async function flush(previous: Promise<void>): Promise<void> {
    await delay(gatherMilliseconds);
    await previous.catch(() => undefined);
    gathering = undefined;
    const wasInForce = inForce;
    inForce = false;
    if (write(config, all, previews) || !wasInForce) await reload();
    inForce = true;
  }

  function put(database: string, fields: Partial<Wanted> | undefined): boolean {
    const before = all.get(database);
    if (fields === undefined) return all.delete(database);
    // Parsed, so that the order of fields is always the same.
    const after = Wanted.parse({ ...before, ...fields });
    all.set(database, after);
    return JSON.stringify(before) !== JSON.stringify(after);
  }

  function bringIntoForce(isChanged: boolean): Promise<void> {
    if (!isChanged && inForce && gathering === undefined) return last.catch(() => undefined);
    if (gathering === undefined) {
      gathering = flush(last);
      last = gathering;
    }
    return gathering;
  }

  return {
    all,
    previews,
    change: (database, fields) => bringIntoForce(put(database, fields)),
    changePreview(name, preview) {
      if (preview === undefined) return bringIntoForce(previews.delete(name));
      const before = previews.get(name);
      previews.set(name, preview);
      return bringIntoForce(JSON.stringify(before) !== JSON.stringify(preview));
    },
  };
}
