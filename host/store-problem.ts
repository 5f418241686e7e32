// What keeps an object store from being used, in words that name the setting to look at.

const remedies: readonly (readonly [RegExp, string])[] = [
  [/InvalidAccessKeyId/, "the store does not know the key: check backup.s3.key"],
  [/SignatureDoesNotMatch/, "the store refuses the signature: check backup.s3.key_secret"],
  [/AuthorizationHeaderMalformed/, "the store is in another region: check backup.s3.region"],
  [/AccessDenied/, "the key may not do that: let it list, read, write and delete in the bucket"],
  [/NoSuchBucket/, "there is no such bucket: make it, or check backup.s3.bucket and uri_style"],
  [
    /certificate|unable to find hostname/i,
    "the store's certificate is not trusted: check backup.s3.ca_file and endpoint",
  ],
  [
    /CryptoError|FormatError|cipher|unable to flush/i,
    "what is stored was encrypted with another key, or is damaged: check backup.encryption_key, " +
      "or use an empty backup.s3.prefix",
  ],
  [
    /timeout|unable to connect|TLS error|unable to get address|HostConnect|reset|ServiceError/i,
    "the store does not answer as it should: check that it is up, and backup.s3.endpoint, " +
      "port and address",
  ],
];

// Of a request that was refused, all but the answer's content.
const headers = / ?\*{3} (?:Path\/Query|Request Headers|Response Headers) \*{3}: .*?(?= \*{3} |$)/g;

/** One line: the remedy where one is known, and what pgBackRest said. */
export function storeProblem(said: string): string {
  const words = said.replaceAll(/\s+/g, " ").replaceAll(headers, "").trim();
  const remedy = remedies.find(([pattern]) => pattern.test(words))?.[1];
  return remedy === undefined ? words : `${remedy} (${words})`;
}
