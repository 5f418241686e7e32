import { createSession, type Session } from "../base/session.ts";
import { type Fleet, platformPassword, platformRole } from "./fleet.ts";
import { type InstancePlace, socketPort } from "./place.ts";

/** The name of the slot in every instance that keeps its WAL until it was taken. */
export const walSlot = "miosa_wal";

/** Makes that slot unless it is there: copies and restored instances come without. */
export const makeWalSlot = `
  select pg_create_physical_replication_slot('${walSlot}', true)
  where not exists (select from pg_replication_slots where slot_name = '${walSlot}')`;

// What a tenant's function or setting could put in the way of a superuser's session.
const ownSettings = [
  ...["search_path=pg_catalog", "statement_timeout=0", "lock_timeout=0", "row_security=off"],
  ...["transaction_timeout=0", "idle_in_transaction_session_timeout=0"],
  ...["default_transaction_read_only=off", "session_preload_libraries=", "role=none"],
];

/**
 * The host program's session in a running instance of a database; opens nothing yet. It is in
 * `postgres`, where no tenant comes: in a tenant's database a superuser runs the tenant's code.
 */
export function platformSession(
  fleet: Pick<Fleet, "secret">,
  place: InstancePlace,
  database: string,
  where = "postgres",
  querySeconds = 30,
): Session {
  return createSession({
    host: place.door,
    port: socketPort,
    user: platformRole,
    password: platformPassword(fleet, database),
    database: where,
    application_name: "miosa host",
    options: ownSettings.map((setting) => `-c ${setting}`).join(" "),
    query_timeout: querySeconds * 1000,
  });
}
