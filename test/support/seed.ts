// What most verb tests stand on: an organization's actor, a host, a project with its database.
import { authenticate, sha256 } from "../../src/account/authenticate.ts";
import { createFirstOrganization } from "../../src/account/bootstrap.ts";
import type { Context } from "../../src/core/context.ts";
import type { DatabaseSize } from "../../src/database/size.ts";
import { registerHost } from "../../src/host/register.ts";
import { createProject } from "../../src/project/create.ts";
import type { TestContext } from "./context.ts";
import { runToEnd } from "./run.ts";

export const hostId = "019a0000-0000-7000-8000-00000000c1a5";

/** The operator's actor of a new installation with one host. */
export async function anInstallation(context: Context, databasesMax = 300) {
  const key = "msk_a_test_0123456789";
  await createFirstOrganization(context, key, await sha256(key));
  await registerHost(context, {
    id: hostId,
    name: "test",
    hostUrl: "http://127.0.0.1:1",
    publicHost: "127.0.0.1",
    transactionPort: 6432,
    sessionPort: 6433,
    databasesMax,
  });
  const keyHash = await sha256(key);
  const { actor } = await authenticate(context, { keyHash, adminKey: key, address: null });
  return { actor, requestId: "test", receipt: () => [] };
}

/** The lane of a new project whose database, if asked for, is still to be made. */
export async function aProject(test: TestContext, postgres: DatabaseSize | null = "small") {
  const request = await anInstallation(test.context);
  const input = { name: "Smile Dental", workspace: null, postgres };
  const projectId = await createProject(test.context, request, input);
  return { projectId, lane: `project:${projectId}`, request };
}

/** The same with its database running. */
export async function aRunningProject(test: TestContext, postgres: DatabaseSize = "medium") {
  const project = await aProject(test, postgres);
  await runToEnd(test, project.lane);
  return project;
}
