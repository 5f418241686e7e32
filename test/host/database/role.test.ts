// What is said to Postgres for logins to be as wanted.
import { expect, test } from "vitest";
import { loginSql, type Role, rolesIn } from "../../../host/database/role.ts";

const role = (name: string, verifier = `v_${name}`, can_login = true): Role => ({
  ...{ name, verifier, can_login },
});
const login = (name: string) => ({ name, verifier: `v_${name}` });
const say = (actor: Role, standIns: readonly Role[], names: readonly string[]) =>
  loginSql({ actor, standIns }, { logins: names.map(login), spare: "spare" });

test("nothing is said that is so already", () => {
  expect(say(role("a"), [role("b")], ["a", "b"])).toEqual({ statements: [], gone: [] });
});

test("a rotation renames who acts, and makes its former name a member of it", () => {
  expect(say(role("a"), [], ["b", "a"])).toEqual({
    statements: [
      'alter role "a" rename to "b"',
      `alter role "b" login password 'v_b'`,
      `create role "a" login password 'v_a'`,
      'grant "b" to "a" with inherit true, set true',
    ],
    gone: [],
  });
});

test("a former login that is first again changes names with who acts", () => {
  const { statements, gone } = say(role("b"), [role("a")], ["a", "b"]);
  expect(statements).toEqual([
    'alter role "a" rename to "spare"',
    'alter role "b" rename to "a"',
    'alter role "spare" rename to "b"',
    `alter role "a" login password 'v_a'`,
    `alter role "b" login password 'v_b'`,
  ]);
  expect(gone).toEqual([]);
});

test("who is not wanted any more logs in no more, and is named once", () => {
  const { statements, gone } = say(role("a"), [role("b"), role("c", "v_c", false)], ["a"]);
  expect(statements).toEqual(['alter role "b" nologin']);
  expect(gone).toEqual(["b", "c"]);
});

test("another password than was given is not left", () => {
  const standIns = [role("b", "another")];
  expect(say(role("a", "another"), standIns, ["a", "b"]).statements).toEqual([
    `alter role "a" login password 'v_a'`,
    `alter role "b" login password 'v_b'`,
  ]);
});

test("a database that is nobody's is told of", () => {
  expect(() => rolesIn([])).toThrow(/not in its instance/);
});
