import { expect, test } from "vitest";
import { hideSecrets } from "../../../host/observe/log-secret.ts";

test.each([
  'syntax error at or near "s3cret"',
  'syntax error at or near "s3cret" at character 27',
  'unterminated quoted string at or near "\'s3cret" at character 27',
  `unterminated quoted string at or near "'s3"cret`,
  'trailing junk after numeric literal at or near "3s3cret"',
  'unrecognized role option "s3cret" at character 14',
  "cannot: alter role a password 's3cret'",
  "cannot: ALTER USER a\n\tWITH ENCRYPTED PASSWORD 's3''cret' valid until 'x'",
  "create group g password s3cret",
  "column \"password = 's3cret'\" does not exist",
  "password 's3cret",
  "PASSWORD=s3cret host=x",
  '{"password": "s3cret"}',
  "no server at postgres://u:s3cret@db:1/x",
  `verifier SCRAM-SHA-256$4096:s3cret$x:y`,
  `error: syntax error at or near "s3cret" in my function`,
])("a password is not seen in: %s", (text) => {
  const hidden = hideSecrets(text);
  expect(hidden).not.toMatch(/s3|cret/);
  expect(hidden).toHaveLength(text.length);
  expect(hideSecrets(hidden)).toBe(hidden);
});

test.each([
  'syntax error at or near "from" at character 8',
  'syntax error at or near ")"',
  'relation "visit" does not exist at character 15',
  'password authentication failed for user "usr_a"',
  'duplicate key value violates unique constraint "user_password_key"',
  'role "usr_a" does not exist',
  "division by zero",
])("what holds no password is as it was: %s", (text) => {
  expect(hideSecrets(text)).toBe(text);
});

test.each(["create role ", "password ", "passwd", "x://", "at or near \"'", "alter role \"'passw"])(
  "a megabyte of %j holds nobody up",
  (part) => {
    const before = performance.now();
    hideSecrets(part.repeat(1_000_000 / part.length));
    hideSecrets(part + " ".repeat(1_000_000));
    expect(performance.now() - before).toBeLessThan(2000);
  },
);
