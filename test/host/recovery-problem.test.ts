import { expect, test } from "vitest";
import { ManifestRefused } from "../../host/manifest-view.ts";
import { NoBaseBackup, NoRoom } from "../../host/recovery-attempt.ts";
import {
  failureWords,
  passedOver,
  recoveryProblem,
  type Told,
} from "../../host/recovery-problem.ts";

const failedStep = {
  step: "restore",
  repository: 1 as 1 | 2,
  backup_label: "20260101-000000F",
  log: "",
  directory: "/c",
};
const problemIn = (message: string, change: Partial<typeof failedStep> = {}) =>
  recoveryProblem(new Error(message), { ...failedStep, ...change });

const told = (repository: 1 | 2, label: string | null, error: Error): Told => ({
  ...recoveryProblem(error, { ...failedStep, backup_label: label }),
  repository,
  backup_label: label,
});
const damage = new Error("pgbackrest failed: ERROR: [029]: zst error");

test("a damaged base backup is named, with its file as seen from the cluster's directory", () => {
  const { problem, isDamage } = problemIn(
    "pgbackrest failed: ERROR: [055]: missing '/c/repository/x'",
  );
  expect(problem).toMatch(/^The base backup 20260101-000000F, or one it builds on, is damaged\. /);
  expect(problem).toContain("missing 'repository/x'");
  expect(isDamage).toBe(true);
});

test("a full disk is told as such, whoever met it", () => {
  const full = "No space left on device";
  const met = [
    problemIn(`pgbackrest failed: ERROR: [064]: unable to write '/c/scratch/x': [28] ${full}`),
    problemIn("pgbackrest failed: ERROR: [064]: raised from local-1 protocol: unable to write 'x'"),
    problemIn(`ENOSPC: ${full.toLowerCase()}, write`, { step: "view" }),
    problemIn("Recovery failed: it ended", { step: "replay", log: `FATAL: could not: ${full}` }),
  ];
  for (const { error, problem, isDamage } of met) {
    expect(error).toBeInstanceOf(NoRoom);
    expect(problem).toMatch(
      /scratch\/ was full .* Make room on the host's disk, then restore again/,
    );
    expect(isDamage).toBe(false);
  }
});

test("a disk that takes no writes for another reason is told as it is", () => {
  const words = "pgbackrest failed: ERROR: [064]: unable to write 'x': [5] Input/output error";
  const { problem, isDamage } = problemIn(words);
  expect(problem).toMatch(/^pgBackRest could not work in the step restore\. .*Input\/output error/);
  expect(isDamage).toBe(false);
});

test("pgBackRest that was killed is no damage", () => {
  const { problem, isDamage } = problemIn("pgbackrest failed: it ended with SIGKILL");
  expect(problem).toMatch(/^pgBackRest was killed in the step restore\. Restore again\./);
  expect(isDamage).toBe(false);
});

test("a store that cannot be read is told with what to look at, and no damage", () => {
  const words = "pgbackrest failed: ERROR: [042]: timeout after 10000ms waiting for read";
  const { problem, isDamage } = problemIn(words, { repository: 2 });
  expect(problem).toMatch(/^The store could not be read: .* check that it is up, and backup\.s3\./);
  expect(isDamage).toBe(false);
});

test("what was passed over is what is wrong with something", () => {
  const failures = [
    told(1, "a", new ManifestRefused("The manifest's format is not known.")),
    told(1, "a", damage),
    told(2, null, new NoBaseBackup("No base backup is older than the target.")),
  ];
  const problem = expect.stringContaining("zst error");
  expect(passedOver(failures)).toEqual([
    { repository: 1, backup_label: "a", problem, is_damage: true },
  ]);
});

test("the words of a failure name the repositories, and all base backups that do not do", () => {
  const words = failureWords([told(1, "c", damage), told(1, "b", damage), told(2, "s", damage)]);
  expect(words).toMatch(/^first repository: The base backup c, .* Nor do other base backups: b\. /);
  expect(words).toMatch(/second repository: The base backup s, .* Restore to another moment, or/);
});

test("where nothing is wrong but nothing is there, just that is said", () => {
  const error = new NoBaseBackup("No base backup is older than the target.");
  expect(failureWords([told(1, null, error)])).toBe(error.message);
});
