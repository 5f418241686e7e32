import { beforeEach, expect, it } from "vitest";
import { watchClusters } from "../../src/cluster/watch.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const alerts = async (state: string) =>
  (await api.call("GET", `/api/v1/admin/alerts?state=${state}`)).body.data as { kind: string }[];

it("a cluster that does not answer is an alert until it does", async () => {
  await watchClusters(api.context);
  expect(await alerts("open")).toEqual([]);
  api.cluster.failAt(1, "before");
  await watchClusters(api.context);
  const [open, ...others] = await alerts("open");
  expect(open).toMatchObject({ kind: "cluster_silent" });
  expect(others).toEqual([]);
  await watchClusters(api.context);
  expect(await alerts("open")).toEqual([]);
  expect(await alerts("resolved")).toMatchObject([{ kind: "cluster_silent" }]);
});
