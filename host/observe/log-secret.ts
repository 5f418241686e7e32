// Passwords in what Postgres logs. Statements are never logged, but a message may quote a piece of
// one: the word where its syntax is wrong, or all that follows a quote that was not closed.

/** A word that says nothing: SQL's reserved ones, and signs. */
const harmless = new RegExp(
  `^(?:[^\\w\\s'"$\\\\]{1,3}|${[
    "all|alter|analyze|and|any|array|as|asc|begin|between|by|case|cast|check|collate|column|commit",
    "constraint|create|cross|default|delete|desc|distinct|do|drop|else|end|except|execute|exists",
    "false|fetch|for|foreign|from|full|function|grant|group|having|ilike|in|index|inner|insert",
    "intersect|into|is|join|key|lateral|left|like|limit|natural|not|null|offset|on|or|order|outer",
    "primary|references|returning|revoke|right|rollback|select|set|some|table|then|to|true|union",
    "unique|update|user|using|values|view|when|where|window|with",
  ].join("|")})$`,
  "i",
);

// Where a password may stand, to the end of the text. Nothing here takes longer than the text is
// long, whatever a tenant writes: no part repeats within another, or only some times.
const quoted = /\b(?:at or near|unrecognized role option) "([\s\S]*)/i;
const role = /\b(?:alter|create)\s+(?:role|user|group)\b/i;
const password = /\bpassw\w*([\s\S]*)/i;

const literal = "e?'(?:[^']|'')*'?|\"[^\"]*\"?|\\$\\w*\\$[\\s\\S]*";

/**
 * What hides within a text; the group is what must not be seen. `\s` is no part of it: in bytes
 * read as Latin-1 it would match the middle of a letter.
 */
const rules: readonly RegExp[] = [
  new RegExp(`passw(?:or)?d\\w{0,30}["']\\s{0,9}(?::?=>?|[:,]|to)\\s{0,9}(${literal})`, "gi"),
  new RegExp(`passw(?:or)?d\\w{0,30}(?=[^"])\\s{0,9}(?::?=>?|:|to)?\\s{0,9}(${literal})`, "gi"),
  /passw(?:or)?d\s{0,9}=\s{0,9}([^ \t\n'"&;,)]+)/gi,
  /\w:\/\/[^ \t\n:@/]*:([^ \t\n@/]+)@/g,
  /SCRAM-SHA-256\$([^ \t\n'"]+)/g,
  /\bmd5([0-9a-f]{32})\b/g,
];

/** Without one of these no rule has anything to hide: so it is with most of a log. */
const suspect = /passw|at or near|role option|:\/\/|SCRAM-|md5[0-9a-f]{32}/i;

/** True when a text may have something to hide: most of a log has not. */
export function isSuspect(text: string): boolean {
  return suspect.test(text);
}

function withoutQuoted(text: string): string {
  const found = quoted.exec(text)?.[1];
  if (found === undefined) return text;
  const tail = /"(?: at character \d+)?$/.exec(found)?.[0] ?? "";
  const word = found.slice(0, found.length - tail.length);
  if (harmless.test(word)) return text;
  return text.slice(0, text.length - found.length) + stars(word) + tail;
}

function withoutRolePassword(text: string): string {
  const from = role.exec(text)?.index;
  if (from === undefined) return text;
  const found = password.exec(text.slice(from))?.[1] ?? "";
  return text.slice(0, text.length - found.length) + stars(found);
}

/** The text with every character of a password replaced by `*`: as long as it was. */
export function hideSecrets(text: string): string {
  if (!isSuspect(text)) return text;
  return rules.reduce(
    (hidden, rule) =>
      hidden.replace(rule, (all: string, secret: string) => {
        const at = all.lastIndexOf(secret);
        return all.slice(0, at) + stars(secret) + all.slice(at + secret.length);
      }),
    withoutRolePassword(withoutQuoted(text)),
  );
}

/** Stars in place of all but blanks and line breaks, which keep an entry one entry. */
export function stars(text: string): string {
  return text.replaceAll(/[^ \n\t]/g, "*");
}
