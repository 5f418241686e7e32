import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostConfig, readConfig } from "../../../host/base/config.ts";
import { refuseFormer } from "../../../host/program/former.ts";
import { dumpKey, keepSecrets } from "../../../host/program/secret.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "host-program-"));
});
afterEach(() => rmSync(home, { recursive: true }));
const at = (name: string) => join(home, name);

const valid = {
  host_id: "0195d3a0-0000-7000-8000-000000000001",
  directory: "/srv/miosa",
  binaries: {
    kind: "native",
    postgres: "/usr/lib/postgresql/17/bin",
    pgbouncer: "/usr/sbin/pgbouncer",
    pgbackrest: "/usr/bin/pgbackrest",
  },
  listen: { address: "127.0.0.1", http_port: 1, transaction_port: 2, session_port: 3 },
  public_host: "127.0.0.1",
  control_keys: [{ kty: "OKP", crv: "Ed25519", x: "x".repeat(43), kid: "key-1" }],
};

describe("a configuration", () => {
  test("says what it leaves out", () => {
    expect(HostConfig.parse(valid)).toMatchObject({
      first_uid: null,
      databases_max: 300,
      backup: { recovery_days: 7, base_backup_days: 30 },
    });
  });

  test.each([
    [{ cluster_id: valid.host_id }, /cluster_id/],
    [{ directory: `/${"d".repeat(72)}` }, /directory: at most 72 bytes/],
    [{ public_host: "db.example.com" }, /tls: is needed/],
    [{ listen: { ...valid.listen, http_port: 2 } }, /listen: the ports must differ/],
    [{ first_uid: 100_000, uids_max: 300 }, /uids_max: must be databases_max and 100 more/],
    [{ backup: { archive_timeout_seconds: 60 } }, /archive_timeout_seconds/],
  ])("is refused with %j, by the field's name", (wrong, words) => {
    writeFileSync(at("host.json"), JSON.stringify({ ...valid, ...wrong }));
    expect(() => readConfig(at("host.json"))).toThrow(words);
  });
});

describe("secrets", () => {
  test("are made once, for their owner alone", () => {
    const made = keepSecrets(at("secret.json"), undefined);
    expect(keepSecrets(at("secret.json"), undefined)).toEqual(made);
    expect(statSync(at("secret.json")).mode & 0o777).toBe(0o600);
    expect(dumpKey(made)).not.toBe(made.host_secret);
  });

  test("are the operator's where it has one, and no other's after that", () => {
    const own = "k".repeat(43);
    expect(keepSecrets(at("secret.json"), own).host_secret).toBe(own);
    expect(() => keepSecrets(at("secret.json"), "o".repeat(43))).toThrow(/is not the key/);
  });
});

describe("a directory of the former design", () => {
  test("is known by its Postgres or its secrets", () => {
    expect(() => refuseFormer(home)).not.toThrow();
    writeFileSync(at("secret.json"), '{"control_password":"x"}');
    expect(() => refuseFormer(home)).toThrow(/one Postgres for all databases/);
    rmSync(at("secret.json"));
    mkdirSync(at("data"));
    writeFileSync(at("data/PG_VERSION"), "17\n");
    expect(() => refuseFormer(home)).toThrow(/one Postgres for all databases/);
  });
});
