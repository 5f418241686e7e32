import type { Context } from "../core/context.ts";
import { base64, randomToken } from "../core/id.ts";
import { seal, unseal } from "../core/seal.ts";

const passwordBytes = 24;
// Postgres' own default; drivers refuse fewer.
const iterations = 4096;

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

/** The password of a database's login role. */
export function openPassword(
  context: Context,
  row: { readonly id: string; readonly passwordSealed: string },
): Promise<string> {
  return unseal(context.keyring, passwordPurpose(row.id), row.passwordSealed);
}

/**
 * The SCRAM-SHA-256 verifier Postgres stores for a password (RFC 5803 as in `pg_authid`), so that
 * the password itself never reaches the host's SQL.
 */
export async function scramVerifier(context: Context, password: string): Promise<string> {
  const salt = new Uint8Array(context.random(16));
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

/** What a database's password is sealed for. */
export function passwordPurpose(databaseId: string): string {
  return `database:${databaseId}:password`;
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
