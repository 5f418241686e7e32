import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);

/**
 * A password's SCRAM-SHA-256 verifier, as Postgres and PgBouncer keep it (RFC 5802). Rounds protect
 * passwords that can be guessed: one of 256 random bits needs none, and each costs every login.
 */
export async function verifierOf(password: string, iterations = 1): Promise<string> {
  const salt = randomBytes(16);
  const salted = await derive(password, salt, iterations, 32, "sha256");
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${server}`;
}
