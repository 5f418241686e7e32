// Passwords and what hosts have of them. A password never leaves the control plane but in its URL
// and in a probe: hosts keep verifiers.
import type { Context } from "../core/context.ts";
import { base64, randomToken } from "../core/id.ts";
import { seal, unseal } from "../core/seal.ts";

const passwordBytes = 24;
// Postgres' own default; drivers refuse fewer.
const iterations = 4096;
const saltBytes = 16;

/** A fresh password, url-safe, and the same sealed for the database with this id. */
export async function newPassword(context: Context, databaseId: string) {
  const password = randomToken(context, passwordBytes);
  const passwordSealed = await seal(
    context.keyring,
    context,
    passwordPurpose(databaseId),
    password,
  );
  return { password, passwordSealed };
}

/** The password of a database's login. */
export function openPassword(
  context: Pick<Context, "keyring">,
  row: { readonly id: string; readonly passwordSealed: string },
): Promise<string> {
  return unseal(context.keyring, passwordPurpose(row.id), row.passwordSealed);
}

/** A login of a database whose password is sealed for it. */
interface SealedLogin {
  /** The database's. */
  readonly id: string;
  readonly name: string;
  readonly passwordSealed: string;
}

// A verifier takes a millisecond, and a look at a host compares thousands of them.
const known = new Map<string, string>();
const knownMax = 10_000;

/** The verifier of a login. */
export async function verifierOf(
  context: Pick<Context, "keyring">,
  login: SealedLogin,
): Promise<string> {
  const key = `${login.name} ${login.passwordSealed}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const verifier = await scramVerifier(login.name, await openPassword(context, login));
  if (known.size >= knownMax) known.clear();
  known.set(key, verifier);
  return verifier;
}

/** True for a login whose verifier is at hand, which `verifierOf` gives at once. */
export function isVerifierKnown({ name, passwordSealed }: Omit<SealedLogin, "id">): boolean {
  return known.has(`${name} ${passwordSealed}`);
}

/**
 * The SCRAM-SHA-256 verifier Postgres and PgBouncer keep of a password (RFC 5803). The same login
 * and password have the same one, so that specs can be compared: its salt is made of both, which
 * tells no more than the verifier itself, as passwords are random numbers of 192 bits.
 */
async function scramVerifier(login: string, password: string): Promise<string> {
  const seed = await crypto.subtle.digest("SHA-256", utf8(`miosa salt\n${login}\n${password}`));
  const salt = new Uint8Array(seed).slice(0, saltBytes);
  const material = await crypto.subtle.importKey("raw", utf8(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const salted = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations },
    material,
    256,
  );
  const clientKey = await hmac(salted, "Client Key");
  const storedKey = await crypto.subtle.digest("SHA-256", clientKey);
  const serverKey = await hmac(salted, "Server Key");
  const [stored, server] = [storedKey, serverKey].map((key) => base64(new Uint8Array(key)));
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${stored}:${server}`;
}

async function hmac(key: ArrayBuffer, text: string): Promise<ArrayBuffer> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, utf8(text));
}

/** What a database's passwords are sealed for. */
export function passwordPurpose(databaseId: string): string {
  return `database:${databaseId}:password`;
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
