// A platform that follows what happens, and is cut off again and again.
import { expect, test } from "vitest";
import { call, createProject } from "../support/client.ts";
import { type FollowedEvent, follow } from "../support/follow.ts";
import { system } from "../support/shared-system.ts";

/** What is kept of all that matched, from the oldest on. */
async function listed(query: string): Promise<readonly string[]> {
  const { body } = await call(system, "GET", `/events?order=asc&limit=100&${query}`);
  return body.data.map(({ id }: { id: string }) => id);
}

test("a stream that is cut again and again tells every event once, in order", async () => {
  const path = "/events/stream?types=database.*";
  const { next_cursor } = (
    await call(system, "GET", "/events?order=asc&since=2999-01-01T00:00:00Z")
  ).body;
  const seen: FollowedEvent[] = [];
  const changes = (async () => {
    const { database } = await createProject(system, { name: "Followed" });
    for (const verb of ["stop", "start", "restart", "stop", "start", "restart"]) {
      const { status } = await call(system, "POST", `/databases/${database.id}/${verb}`);
      expect(status).toBe(200);
    }
    return database.id as string;
  })();
  const last = (event: FollowedEvent) =>
    event.type === "database.restarted" &&
    seen.filter(({ type }) => type === "database.restarted").length === 2;
  let place = next_cursor as string;
  while (!seen.some(last)) {
    // The client goes after each event; what follows comes while nobody is connected, too.
    for await (const event of follow(system, path, { "last-event-id": place })) {
      seen.push(event);
      place = event.id ?? place;
      break;
    }
  }
  const id = await changes;
  expect(seen.map((event) => event.id)).toEqual(
    await listed(`after=${next_cursor}&types=database.*`),
  );
  const own = seen.filter(({ data }) => data.database_id === id).map(({ type }) => type);
  const round = ["database.paused", "database.resumed", "database.restarted"];
  expect(own).toEqual(["database.created", "database.running", ...round, ...round]);
  for (const { id: eventId, type, data } of seen) expect(data).toMatchObject({ id: eventId, type });
});
