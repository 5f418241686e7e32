import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { authoritiesOf, prepareCertificate } from "../../../host/server/certificate.ts";
import { makePair, type Pair } from "../../support/certificate.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "host-certificate-"));
  mkdirSync(join(home, "host", "tls"), { recursive: true });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(home, { recursive: true });
});

const at = (name: string) => join(home, name);
const configured = () => ({
  directory: at("host"),
  public_host: "127.0.0.1",
  tls: { certificate_file: at("given.crt"), key_file: at("given.key"), ca_file: at("ca.pem") },
});
function give({ cert, key }: Pair): Promise<boolean> {
  writeFileSync(at("given.crt"), cert);
  writeFileSync(at("given.key"), key);
  return prepareCertificate(configured(), () => Promise.reject(new Error("It was given one.")));
}
const inUse = (): Pair => ({
  cert: readFileSync(at("host/tls/server.crt"), "utf8"),
  key: readFileSync(at("host/tls/server.key"), "utf8"),
});

describe("an operator's certificate", () => {
  test("is taken into use when it is new, and then stays", async () => {
    const [first, second] = [makePair(home, "first"), makePair(home, "second")];
    expect(await give(first)).toBe(true);
    expect(await give(first)).toBe(false);
    expect(await give(second)).toBe(true);
    expect(inUse()).toEqual(second);
  });

  test("is refused with another's key, or when it is over; the one in use stays", async () => {
    const first = makePair(home, "first");
    const other = makePair(home, "other");
    await give(first);
    await expect(give({ cert: other.cert, key: first.key })).rejects.toThrow(/tls.key_file/);
    vi.setSystemTime(Date.now() + 3 * 86_400_000);
    await expect(give(other)).rejects.toThrow(/tls.certificate_file ended/);
    expect(inUse()).toEqual(first);
  });

  test("has the authorities its operator names, or those that everybody knows", () => {
    writeFileSync(at("ca.pem"), "those");
    const config = configured();
    expect(authoritiesOf(config)).toBe("those");
    const { ca_file: _, ...tls } = config.tls;
    expect(authoritiesOf({ ...config, tls })).toBeUndefined();
  });
});
