import type { Context } from "../core/context.ts";
import { getHost } from "../host/find.ts";
import { isLoopback } from "../host/loopback.ts";
import type { HostRow } from "../host/table.ts";
import { openPassword } from "./credential.ts";
import type { DatabaseRow } from "./table.ts";

/** Everything a client may need to log in. */
export interface DatabaseUrls {
  readonly databaseUrl: string;
  readonly databaseUrlSession: string;
  /** Where SQL goes over HTTP; beside it, at /v2, Postgres' own protocol over WebSocket. */
  readonly databaseHttpUrl: string;
  readonly host: string;
  readonly port: number;
  readonly sessionPort: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** The URLs of a database, with its password. Pass its host when it is at hand. */
export async function urlsOf(
  context: Context,
  row: Pick<DatabaseRow, "id" | "hostId" | "databaseName" | "loginRole" | "passwordSealed">,
  host?: HostRow,
): Promise<DatabaseUrls> {
  const { publicHost, transactionPort, sessionPort, hostUrl } =
    host ?? (await getHost(context, row.hostId));
  const password = await openPassword(context, row);
  const urlAt = (port: number) =>
    `postgresql://${row.loginRole}:${password}@${bracketed(publicHost)}:${port}/` +
    `${row.databaseName}${isLoopback(publicHost) ? "" : "?sslmode=require"}`;
  return {
    databaseUrl: urlAt(transactionPort),
    databaseUrlSession: urlAt(sessionPort),
    databaseHttpUrl: new URL("/sql", hostUrl).href,
    host: publicHost,
    port: transactionPort,
    sessionPort,
    user: row.loginRole,
    password,
    database: row.databaseName,
  };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
