import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isLoopback, readConfig } from "../../host/config.ts";
import { aConfig } from "../support/host-config.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "host-config-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function read(config: unknown) {
  const file = join(directory, "host.json");
  writeFileSync(file, JSON.stringify(config));
  return readConfig(file);
}

describe("the configuration file", () => {
  test("is read as it is, with a default for databases_max", () => {
    const { databases_max: _, ...config } = aConfig();
    expect(read(config)).toEqual({ ...config, databases_max: 300 });
  });

  test("is refused with the name of each wrong field", () => {
    const config = { ...aConfig(), cluster_id: "seven", public_host: "a b" };
    expect(() => read(config)).toThrow(/cluster_id: .*public_host: /);
  });

  test("is refused when it holds a private key, which is not for the host to know", () => {
    const [key] = aConfig().control_keys;
    expect(() => read({ ...aConfig(), control_keys: [{ ...key, d: "secret" }] })).toThrow(
      /control_keys\.0: .*"d"/,
    );
  });

  test("is refused when two ports are the same", () => {
    const config = aConfig();
    config.listen.session_port = config.listen.http_port;
    expect(() => read(config)).toThrow("listen: the ports must differ");
  });

  test("is refused when the directory is too long for a socket in it", () => {
    const config = { ...aConfig(), directory: `/${"d".repeat(80)}` };
    expect(() => read(config)).toThrow(/directory: at most 76 bytes/);
  });

  test.each(["/a'b", "/a\nb", "/a,b", "/a%b", "relative", "/a/"])(
    "is refused when the directory %j could not be written into the servers' files",
    (path) => {
      expect(() => read({ ...aConfig(), directory: path })).toThrow(/directory: /);
    },
  );

  test.each([
    ["0.0.0.0", "127.0.0.1"],
    ["127.0.0.1", "db.example.test"],
  ])("needs a certificate when it listens on %s as %s", (address, publicHost) => {
    const config = { ...aConfig(), public_host: publicHost };
    config.listen.address = address;
    expect(() => read(config)).toThrow(/tls: is needed/);
    const tls = { certificate_file: "/etc/host.crt", key_file: "/etc/host.key" };
    expect(isLoopback(read({ ...config, tls }))).toBe(false);
  });
});
