// What a host writes into the control group it was delegated; a directory stands for the group.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noWeights, openWeights } from "../../host/weight.ts";

let cgroup: string;
beforeEach(() => {
  cgroup = mkdtempSync(join(tmpdir(), "cgroup-"));
});
afterEach(() => rmSync(cgroup, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(cgroup, name), text);
const read = (name: string) => readFileSync(join(cgroup, name), "utf8");

function makeSecondVersion(controllers = "cpuset cpu io") {
  write("cgroup.controllers", controllers);
  write("cgroup.subtree_control", "");
  write("cgroup.procs", "");
}

describe("a delegated control group", () => {
  test.each([
    ["2", () => makeSecondVersion(), "cpu.weight", ["1000", "100", "400"]],
    ["1", () => write("cpu.shares", "1024"), "cpu.shares", ["10240", "1024", "4096"]],
  ])("of version %s has a group for each database", (_, make, file, shares) => {
    make();
    const weights = openWeights(cgroup, new Map([["proj_large", 400]]));
    weights.place(11, "proj_small");
    weights.place(12, "proj_large");
    weights.place(13, null);
    const groups = ["platform", "proj_small", "proj_large"];
    expect(groups.map((group) => read(`${group}/${file}`))).toEqual(shares);
    const members = groups.map((group) => read(`${group}/cgroup.procs`));
    expect(members).toEqual(["13", "11", "12"]);
  });

  test("of version 2 gives its own processes away and its controller on", () => {
    makeSecondVersion();
    write("cgroup.procs", "4711\n");
    openWeights(cgroup, new Map());
    expect(read("cgroup.subtree_control")).toBe("+cpu");
    expect(read("platform/cgroup.procs")).toBe(String(process.pid));
  });

  test("gives a database that is resized its new weight, whether it is at work or not", () => {
    makeSecondVersion();
    const weights = openWeights(cgroup, new Map());
    weights.place(11, "proj_a");
    weights.weigh("proj_a", 200);
    expect(read("proj_a/cpu.weight")).toBe("200");
    weights.weigh("proj_b", 400);
    expect(existsSync(join(cgroup, "proj_b"))).toBe(false);
    weights.place(12, "proj_b");
    expect(read("proj_b/cpu.weight")).toBe("400");
  });

  test("loses the groups nobody is in", () => {
    makeSecondVersion();
    const weights = openWeights(cgroup, new Map());
    mkdirSync(join(cgroup, "proj_gone"));
    weights.tidy();
    expect(existsSync(join(cgroup, "proj_gone"))).toBe(false);
    expect(existsSync(join(cgroup, "platform"))).toBe(true);
  });
});

describe("a control group that cannot be used", () => {
  test.each([
    ["is none", () => undefined, "is no control group with the controller cpu"],
    ["has no controller cpu", () => makeSecondVersion("cpuset io"), "controllers are without cpu"],
  ])("because it %s is refused with the field and the remedy", (_, make, words) => {
    make();
    const open = () => openWeights(cgroup, new Map());
    expect(open).toThrow(/^cgroup: .* cannot be used: .*Delegate it to this user/);
    expect(open).toThrow(words);
  });

  test("is nothing to a host that was given none", () => {
    expect(openWeights(undefined, new Map())).toBe(noWeights);
  });
});
