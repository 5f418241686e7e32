// The first messages of a Postgres client, as far as they say who wants to go where.

const requestCodes = { cancel: 80_877_102, tls: 80_877_103, gss: 80_877_104 };
const protocolMajor = 3;
// Postgres takes no longer one either.
const bytesMax = 10_000;

/** What a client's first bytes ask for. */
export type Opening =
  /** More bytes are needed. */
  | { readonly kind: "part" }
  /** TLS or GSS encryption, in so many bytes. */
  | { readonly kind: "encryption"; readonly bytes: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "login"; readonly user: string; readonly database: string }
  /** Nothing that Postgres' protocol knows. */
  | { readonly kind: "strange" };

function parametersOf(bytes: Buffer): Map<string, string> | undefined {
  const texts = bytes.toString("utf8").split("\0");
  // Every text ends with a zero byte, and so does the whole.
  if (texts.length < 2 || texts.at(-1) !== "" || texts.at(-2) !== "") return undefined;
  const pairs = texts.slice(0, -2);
  if (pairs.length % 2 !== 0) return undefined;
  const found = new Map<string, string>();
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at] ?? "";
    // Whoever reads the first of two would let in another than who reads the last.
    if (name === "" || found.has(name)) return undefined;
    found.set(name, pairs[at + 1] ?? "");
  }
  return found;
}

/** Reads what a client has sent so far. */
export function readOpening(bytes: Buffer): Opening {
  if (bytes.length < 8) return { kind: "part" };
  const length = bytes.readUInt32BE(0);
  if (length < 8 || length > bytesMax) return { kind: "strange" };
  if (bytes.length < length) return { kind: "part" };
  const code = bytes.readUInt32BE(4);
  const isEncryption = code === requestCodes.tls || code === requestCodes.gss;
  if (isEncryption && length === 8) return { kind: "encryption", bytes: length };
  if (code === requestCodes.cancel) return { kind: "cancel" };
  if (code >>> 16 !== protocolMajor) return { kind: "strange" };
  const parameters = parametersOf(bytes.subarray(8, length));
  const user = parameters?.get("user") ?? "";
  if (user === "") return { kind: "strange" };
  return { kind: "login", user, database: parameters?.get("database") || user };
}

/** A refusal in Postgres' protocol. */
export function refusal(code: string, message: string): Buffer {
  const text = ["SFATAL", "VFATAL", `C${code}`, `M${message}`, "\0"].join("\0");
  const body = Buffer.from(text, "utf8");
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
