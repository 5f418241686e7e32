// The first messages of a Postgres client, made by hand.

/** A login with these parameters; a name or value is put in as it is. */
export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  const body = Buffer.from(`${texts.join("")}\0`, "utf8");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt32BE(3 << 16, 4);
  return Buffer.concat([head, body]);
}

/** Asks for TLS. */
export function tlsRequest(): Buffer {
  return Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
}
