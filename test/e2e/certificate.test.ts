// A certificate as its reader meets it: asked for, read, and checked with the script that asks
// nobody; what is damaged is certified as that, and an alert names its file.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, createProject, query, until } from "../support/client.ts";
import { all, filesIn, turnBits } from "../support/damage.ts";
import { system } from "../support/shared-system.ts";

const script = resolve(import.meta.dirname, "../../local/launch/verify-certificate.ts");
// A cron trigger comes once a minute.
const alertSeconds = 90;

let directory: string;
let id: string;
let name: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "certificate-"));
  const { database } = await createProject(system, { name: "Proved" });
  ({ id, database: name } = database);
  await query(database.database_url, "create table ledger as select generate_series(1, 500) as n");
  await over("POST", `/admin/databases/${id}/base-backups`, { type: "incr" });
  const [backup] = (await call(system, "GET", `/databases/${id}/backups`)).body.data;
  // A recovery begins at the first whole second after the newest base backup.
  const isPast = (now: number) => now - Date.parse(backup.completed_at) > 1000;
  await until("its end", async () => Date.now(), isPast);
});

afterAll(() => rmSync(directory, { recursive: true }));

/** What an operator's call has begun, once it is over. */
async function over(method: string, path: string, body: object) {
  const begun = await call(system, method, path, { body });
  expect(begun.status, begun.text).toBe(202);
  const operation = await until(
    "its end",
    () => call(system, "GET", `/operations/${begun.body.data.operation_id}`),
    (answer) => ["succeeded", "failed"].includes(answer.body.data.status),
    240,
  );
  expect(operation.body.data.status, operation.text).toBe("succeeded");
  return begun.body.data;
}

/** The newest certificate, after one more verification. */
async function verified() {
  const path = `/admin/hosts/${system.dev().host_id}/verifications`;
  const { verification_id } = await over("POST", path, { database_id: id });
  const [newest] = (await call(system, "GET", `/databases/${id}/certificates`)).body.data;
  expect(newest.verification_id).toBe(verification_id);
  return newest;
}

/** What the script says of a certificate, and how it ends. */
async function check(certificate: unknown) {
  const [file, keys] = [join(directory, "certificate.json"), join(directory, "keys.json")];
  const url = `${system.dev().root_url}/.well-known/miosa-certificate-keys`;
  const published = await (await fetch(url)).text();
  writeFileSync(file, JSON.stringify({ data: certificate }));
  writeFileSync(keys, published);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, file, keys]);
  return { status, said: `${stdout}${stderr}` };
}

test("a whole backup is certified, and anybody can check that offline", async () => {
  const certificate = await verified();
  expect(certificate, JSON.stringify(certificate)).toMatchObject({
    database_id: id,
    result: "passed",
    manifest: { tables: 1, rows: 500, tables_left_out: 0 },
  });
  const { status, said } = await check(certificate);
  expect({ status, said }).toMatchObject({ status: 0, said: expect.stringMatching(/^Signed: /) });
  const [backup] = (await call(system, "GET", `/databases/${id}/backups`)).body.data;
  expect(backup.proof).toMatchObject({ certificate_id: certificate.id, result: "passed" });
});

test("a certificate that somebody has changed is not valid", async () => {
  const [certificate] = (await call(system, "GET", `/databases/${id}/certificates`)).body.data;
  const changed = { ...certificate, manifest: { ...certificate.manifest, rows: 501 } };
  expect(await check(changed)).toEqual({
    status: 1,
    said: "Not valid: the certificate is not as it was signed.\n",
  });
});

test(
  "a damaged base backup does not pass, and an alert names the file until it is whole",
  async () => {
    const backups = join(system.home, "host", "repository", name, "data", "backup", "main");
    // `latest` is a link to one of them.
    const bundles = filesIn(backups).filter((file) => /[FI]\/bundle\/\d+$/.test(file));
    const repair = all(bundles.map((file) => turnBits(file)));
    const alertsOf = async () => {
      const path = "/admin/alerts?kind=verification_failed";
      const alerts: { subject: string; message: string }[] = (await call(system, "GET", path)).body
        .data;
      return alerts.filter(({ subject }) => subject === id);
    };
    try {
      const certificate = await verified();
      expect(certificate.result).toBe("failed");
      const { status, said } = await check(certificate);
      expect({ status, said }).toMatchObject({ status: 1, said: expect.stringMatching(/^Signed/) });
    } finally {
      repair();
    }
    const isThere = ({ length }: readonly unknown[]) => length > 0;
    const [alert] = await until("an alert", alertsOf, isThere, alertSeconds);
    expect(alert?.message).toMatch(/invalid checksum '\d{8}-\d{6}F(_\d{8}-\d{6}I)?\/bundle\/\d+'/);
    expect((await verified()).result).toBe("passed");
    const isGone = ({ length }: readonly unknown[]) => length === 0;
    await until("its end", alertsOf, isGone, alertSeconds);
  },
  (2 * alertSeconds + 120) * 1000,
);
