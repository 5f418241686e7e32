import { createSession, type Session } from "../session.ts";
import { type Fleet, platformPassword, platformRole } from "./fleet.ts";
import { type InstancePlace, socketPort } from "./place.ts";

/** The name of the slot in every instance that keeps its WAL until it was taken. */
export const walSlot = "miosa_wal";

/** Makes that slot unless it is there: copies and restored instances come without. */
export const makeWalSlot = `
  select pg_create_physical_replication_slot('${walSlot}', true)
  where not exists (select from pg_replication_slots where slot_name = '${walSlot}')`;

/**
 * The host program's session in a running instance of a database: there, or in another database of
 * the same instance; opens nothing yet.
 */
export function platformSession(
  fleet: Fleet,
  place: InstancePlace,
  database: string,
  where: string = database,
): Session {
  return createSession({
    host: place.socket,
    port: socketPort,
    user: platformRole,
    password: platformPassword(fleet, database),
    database: where,
    application_name: "miosa host",
    query_timeout: 30_000,
  });
}
