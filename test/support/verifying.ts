// A host program that verifies one database and is killed meanwhile: instances and WAL alone. Its
// fleet and its order are in the file it is given.
import { readFileSync } from "node:fs";
import { repositoryOf } from "../../host/base-backup/repository.ts";
import { createAwake } from "../../host/dump/awake.ts";
import type { Fleet } from "../../host/instance/fleet.ts";
import { openGroups } from "../../host/instance/group.ts";
import { openKeeper } from "../../host/instance/keeper.ts";
import { verificationHandlers } from "../../host/verification/verifications.ts";
import { createWal, walDirectory } from "../../host/wal/wal.ts";
import type { HostCommandInput } from "../../src/contract/instance/command.ts";

/** What it is given. */
export interface VerifyingOrder {
  readonly fleet: Omit<Fleet, "groups">;
  readonly input: HostCommandInput<"verification.start">;
}

const [file = ""] = process.argv.slice(2);
const order: VerifyingOrder = JSON.parse(readFileSync(file, "utf8"));
const fleet: Fleet = { ...order.fleet, groups: openGroups([]) };
const nobodyHeld = async () => undefined;
const keeper = await openKeeper(fleet, async () => nobodyHeld);
const wal = createWal(fleet);
const repository = (database: string) =>
  repositoryOf(fleet, database, { recoveryDays: 7, baseBackupDays: 30 });
for (const { database } of order.input.databases) {
  const { name } = keeper.live(database).record;
  const server = () => keeper.roster.get(name).server;
  wal.follow({
    ...{ database, server, lastServer: () => keeper.roster.lastServer(name) },
    box: keeper.roster.box(name),
    repository: repository(database),
  });
}
const parts = {
  ...{ fleet, keeper, wal, awake: createAwake(keeper), repositoryOf: repository },
  sourcesOf: (database: string) => {
    const own = repository(database);
    return [{ number: 1 as const, repository: own, wal: walDirectory(own) }];
  },
};
const versions = async () => ({ postgres: "", pgbackrest: "", host: "" });
const handlers = verificationHandlers(parts, versions);
await handlers["verification.start"](order.input);
