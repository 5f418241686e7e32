// What keeps an object store from being used, in words that name the setting to look at.

/** The store answered, and refused. */
export class StoreRefusal extends Error {
  override readonly name = "StoreRefusal";
  readonly status: number;

  constructor(status: number, code: string, what: string) {
    super(`${what}: ${code} [${status}]`);
    this.status = status;
  }
}

/** What the store gave is not what was stored. */
export class StoreDamage extends Error {
  override readonly name = "StoreDamage";
}

const remedies: readonly (readonly [RegExp, string])[] = [
  [/InvalidAccessKeyId/, "the store does not know the key: check backup.s3.key"],
  [/SignatureDoesNotMatch/, "the store refuses the signature: check backup.s3.key_secret"],
  [/AuthorizationHeaderMalformed/, "the store is in another region: check backup.s3.region"],
  [/AccessDenied/, "the key may not do that: let it list, read, write and delete in the bucket"],
  [/NoSuchBucket/, "there is no such bucket: make it, or check backup.s3.bucket and uri_style"],
  [
    /certificate|altnames/i,
    "the store's certificate is not trusted: check backup.s3.ca_file and endpoint",
  ],
  [
    /did not answer|ECONN|ENOTFOUND|EAI_AGAIN|EHOST|ENET|ETIMEDOUT|EPIPE|hang up|aborted|\[5\d\d\]/,
    "the store does not answer as it should: check that it is up, and backup.s3.endpoint, " +
      "port and address",
  ],
];

/** One line: the remedy where one is known, and what was said. */
export function storeProblem(error: unknown): string {
  const said = error instanceof AggregateError ? error.errors.map(String).join("; ") : null;
  const message = said ?? (error instanceof Error ? error.message : String(error));
  const words = message.replaceAll(/\s+/g, " ").trim();
  const remedy = remedies.find(([pattern]) => pattern.test(words))?.[1];
  return remedy === undefined ? words : `${remedy} (${words})`;
}
