// Whether a password is the one a SCRAM-SHA-256 verifier was made of.
const pattern = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/;
const known = new Map<string, boolean>();
const utf8 = (text: string) => new TextEncoder().encode(text);

/** True for the verifier's own password. */
export async function isVerifiedBy(verifier: string, password: string): Promise<boolean> {
  const key = `${verifier} ${password}`;
  const isKnown = known.get(key) ?? (await isMadeOf(verifier, password));
  known.set(key, isKnown);
  return isKnown;
}

async function isMadeOf(verifier: string, password: string): Promise<boolean> {
  const [, iterations, salt = "", stored] = pattern.exec(verifier) ?? [];
  const material = await crypto.subtle.importKey("raw", utf8(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const salted = await crypto.subtle.deriveBits(
    {
      name: "PBKDF2",
      hash: "SHA-256",
      salt: Buffer.from(salt, "base64"),
      iterations: Number(iterations),
    },
    material,
    256,
  );
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", salted, hmac, false, ["sign"]);
  const clientKey = await crypto.subtle.sign("HMAC", imported, utf8("Client Key"));
  return (
    Buffer.from(await crypto.subtle.digest("SHA-256", clientKey)).toString("base64") === stored
  );
}
