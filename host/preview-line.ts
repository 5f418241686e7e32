// Previews in the poolers' files: each is a database of its own there, that leads to the socket of
// a scratch cluster, and a login of its own, whose password the poolers check.
import { join } from "node:path";
import { z } from "zod";
import { DatabaseName } from "../src/contract/database.ts";
import { PoolLimits } from "../src/contract/pool.ts";
import { PreviewRequest } from "../src/contract/preview.ts";
import { Cidr } from "../src/contract/setting.ts";
import { type HostConfig, layout } from "./config.ts";
import { readIfExists } from "./file.ts";
import { networkOf } from "./network.ts";
import type { PoolMode } from "./pgbouncer-config.ts";

const PoolerPreview = z.object({
  recovery_id: z.string(),
  /** Of the scratch cluster's socket, and the number in its name. */
  directory: z.string(),
  port: z.int(),
  /** What the scratch cluster calls the database, and the role all clients act as there. */
  database: z.string(),
  user: z.string(),
  login: PreviewRequest.shape.login,
  verifier: PreviewRequest.shape.verifier,
  transaction: PoolLimits,
  session: PoolLimits,
  allowed_addresses: z.array(Cidr),
});
/** One preview as the poolers know it. */
export type PoolerPreview = z.infer<typeof PoolerPreview>;
export type PreviewsByName = ReadonlyMap<string, PoolerPreview>;

/** Where they are kept on disk. */
export function previewFile(config: HostConfig): string {
  return join(layout(config.directory).pooler, "previews.json");
}

/** The previews the poolers know, as kept on disk. */
export function readPreviews(config: HostConfig): Map<string, PoolerPreview> {
  const kept = JSON.parse(readIfExists(previewFile(config)) ?? "{}");
  return new Map(Object.entries(z.record(DatabaseName, PoolerPreview).parse(kept)));
}

/** Their lines of the [databases] section. */
export function renderPreviewLines(previews: PreviewsByName, mode: PoolMode): string {
  const lines = [...previews].map(([name, { directory, port, database, user, ...limits }]) => {
    const { pool_size, client_connections_max } = limits[mode];
    return [
      `${name} = host='${directory}' port=${port} dbname='${database}' user='${user}'`,
      `pool_size=${pool_size} max_db_connections=${pool_size}`,
      `max_db_client_connections=${client_connections_max}\n`,
    ].join(" ");
  });
  return lines.join("");
}

/** Rules that go before all others: a login reaches its preview, and neither anything else. */
export function renderPreviewHba(previews: PreviewsByName): string {
  const rules = [...previews].flatMap(([name, { login, allowed_addresses: allowed }]) => [
    `local ${name} ${login} scram-sha-256`,
    ...(allowed.length === 0 ? ["all"] : allowed.map(networkOf)).map(
      (network) => `host ${name} ${login} ${network} scram-sha-256`,
    ),
    `local ${name} all reject`,
    `host ${name} all all reject`,
    `local all ${login} reject`,
    `host all ${login} all reject`,
  ]);
  return rules.map((rule) => `${rule}\n`).join("");
}

/** A poolers' file of users with these previews' logins in place of those it had. */
export function withPreviewUsers(text: string, previews: PreviewsByName): string {
  const others = text.split("\n").filter((line) => line !== "" && !line.startsWith('"pre_'));
  const own = [...previews.values()].map(({ login, verifier }) => `"${login}" "${verifier}"`);
  return [...others, ...own].map((line) => `${line}\n`).join("");
}
