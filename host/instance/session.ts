import { createSession, type Session } from "../session.ts";
import { type Fleet, platformPassword, platformRole } from "./fleet.ts";
import { type InstancePlace, socketPort } from "./place.ts";

/** The host program's session in a database of a running instance; opens nothing yet. */
export function platformSession(
  fleet: Fleet,
  place: InstancePlace,
  database: string = place.name,
  password: string = platformPassword(fleet, place.name),
): Session {
  return createSession({
    host: place.socket,
    port: socketPort,
    user: platformRole,
    password,
    database,
    application_name: "miosa host",
    query_timeout: 30_000,
  });
}
