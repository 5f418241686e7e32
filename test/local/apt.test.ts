import { expect, test } from "vitest";
import { parseCandidates, parseMirrors } from "../../local/install/apt.ts";
import { choosePackages, findMissing } from "../../local/install/native.ts";

const policy = `postgresql-17:
  Installed: (none)
  Candidate: 17.12-0+deb13u1
  Version table:
     17.12-0+deb13u1 500
        500 http://mirror.test/debian trixie/main amd64 Packages
pgbouncer:
  Installed: 1.18.0-1
  Candidate: 1.18.0-1
postgresql-18:
  Installed: (none)
  Candidate: (none)
`;

test("a package has the candidate that apt names, and one without a candidate has none", () => {
  expect([...parseCandidates(policy)]).toEqual([
    ["postgresql-17", "17.12-0+deb13u1"],
    ["pgbouncer", "1.18.0-1"],
  ]);
});

test("what this machine has and is new enough is not missing", () => {
  const old = { path: "/usr/sbin/pgbouncer", version: "1.18.0" };
  const good = { path: "/usr/bin/pgbackrest", version: "2.55.1" };
  const openssl = { path: "/usr/bin/openssl", version: "3.5.1" };
  const found = { postgres: undefined, pgbouncer: old, pgbackrest: good, openssl };
  expect(findMissing(found)).toEqual(["postgres", "pgbouncer"]);
});

test("packages are chosen only when every one of them is new enough", () => {
  const candidates = parseCandidates(policy);
  expect(choosePackages(["postgres"], candidates)).toEqual(["postgresql-17"]);
  expect(choosePackages(["postgres", "pgbouncer"], candidates)).toBeUndefined();
});

test("a newer Postgres is chosen where the usual one is not offered", () => {
  const candidates = new Map([["postgresql-18", "18.1-1"]]);
  expect(choosePackages(["postgres"], candidates)).toEqual(["postgresql-18"]);
});

test("the mirrors are those this machine gets Debian from", () => {
  const targets = [
    "Other|Other|bookworm|main|http://other.test/",
    "Debian|Debian|bookworm|contrib|http://contrib.test/debian/",
    "Debian|Debian Backports|bookworm-backports|main|http://backports.test/debian/",
    "Debian|Debian|bookworm-updates|main|http://updates.test/debian/",
    "Debian|Debian|bookworm|main|http://mirror.test/debian/",
    "Debian|Debian-Security|bookworm-security|main|http://mirror.test/security/",
  ].join("\n");
  expect(parseMirrors(targets)).toEqual({
    main: "http://mirror.test/debian/",
    security: "http://mirror.test/security/",
  });
});

test("a system that is only like Debian has no mirror to make one from", () => {
  expect(parseMirrors("Ubuntu|Ubuntu|noble|main|http://ubuntu.test/ubuntu/")).toBeUndefined();
  expect(parseMirrors("")).toBeUndefined();
});
