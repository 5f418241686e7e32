import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  isForeign,
  makeHome,
  pathProblem,
  readBackupSettings,
  readSettings,
} from "../../local/launch/settings.ts";

test("without variables the state is in the clone and the API at 8787", () => {
  const { home, port, rootfs, repository, databasesMax, cronSeconds } = readSettings({});
  expect({ home, port, rootfs, databasesMax, cronSeconds }).toEqual({
    home: join(repository, ".miosa"),
    port: 8787,
    rootfs: join(repository, ".miosa/rootfs"),
    databasesMax: 300,
    cronSeconds: 60,
  });
});

test("backends and clients are the host's plan unless they are said", () => {
  expect(readSettings({ MIOSA_CLIENTS_MAX: "" })).toMatchObject({
    backendsMax: undefined,
    clientsMax: undefined,
  });
  const said = readSettings({ MIOSA_BACKENDS_MAX: "2400", MIOSA_CLIENTS_MAX: "5000" });
  expect(said).toMatchObject({ backendsMax: 2400, clientsMax: 5000 });
  expect(() => readSettings({ MIOSA_BACKENDS_MAX: "many" })).toThrow("MIOSA_BACKENDS_MAX");
});

test("a relative directory starts where the command was given", () => {
  expect(readSettings({ MIOSA_HOME: "here" }).home).toBe(join(process.cwd(), "here"));
});

test.each(["0", "65536", "80a", "-1", "1e3", " "])("port %j is refused by name", (port) => {
  expect(() => readSettings({ MIOSA_PORT: port })).toThrow("MIOSA_PORT");
});

test.each(["dns.example.com", "http://dns.example.com/dns-query", "https:// x"])(
  "resolver %j is refused by name",
  (url) => {
    expect(() => readSettings({ MIOSA_RESOLVER_URL: url })).toThrow("MIOSA_RESOLVER_URL");
  },
);

test("a resolver is taken over https, or on this machine", () => {
  for (const url of ["https://dns.example.com/dns-query", "http://127.0.0.1:5353/q"]) {
    expect(readSettings({ MIOSA_RESOLVER_URL: url }).resolverUrl).toBe(url);
  }
});

test("the state directory is private, and has one name whichever link leads to it", () => {
  const parent = realpathSync(mkdtempSync(join(tmpdir(), "settings-")));
  mkdirSync(join(parent, "real"));
  symlinkSync(join(parent, "real"), join(parent, "link"));
  const { home, shown } = makeHome(readSettings({ MIOSA_HOME: join(parent, "link/state") }));
  expect(home).toBe(join(parent, "real/state"));
  expect(shown.home).toBe(home);
  expect(statSync(home).mode & 0o777).toBe(0o700);
  rmSync(parent, { recursive: true });
});

test("a directory with files of something else is told from a state directory", () => {
  const home = mkdtempSync(join(tmpdir(), "settings-"));
  expect(isForeign(home)).toBe(false);
  writeFileSync(join(home, "thesis.txt"), "");
  expect(isForeign(home)).toBe(true);
  writeFileSync(join(home, "secrets.json"), "");
  expect(isForeign(home)).toBe(false);
  rmSync(home, { recursive: true });
});

test.each(["/tmp/a,b", "/tmp/it's", "/tmp/a:b", `/tmp/${"a".repeat(70)}`])(
  "servers could not run in %s, and that is said before they try",
  (home) => {
    expect(pathProblem(readSettings({ MIOSA_HOME: home }))).toBeDefined();
  },
);

test("backup.json names an object store, and what is wrong with it is told by field", () => {
  const home = mkdtempSync(join(tmpdir(), "settings-"));
  expect(readBackupSettings(home)).toBeUndefined();
  const s3 = { endpoint: "s3.test", region: "eu-1", bucket: "backups", key: "AKIA" };
  const write = (content: unknown) =>
    writeFileSync(join(home, "backup.json"), JSON.stringify(content));
  write({ s3: { ...s3, key_secret: "a long secret".replaceAll(" ", "-") } });
  expect(readBackupSettings(home)).toMatchObject({
    recovery_days: 7,
    s3: { ...s3, uri_style: "host", port: 443, prefix: "/miosa" },
  });
  write({ s3: { ...s3, key_secret: "short", endpoint: "https://s3.test" } });
  const wrong = /s3\.endpoint: a host name, without https:\/\/; s3\.key_secret/;
  expect(() => readBackupSettings(home)).toThrow(wrong);
  rmSync(home, { recursive: true });
});
