// A role's verifier, and a note of it that the role itself cannot change: so a look at the catalog
// tells whose password a tenant has changed in SQL, with no key derived.
import { identifier } from "./name.ts";

/** SQL that sets a role's verifier and notes its fingerprint in the role's comment. */
export function setVerifier(role: string, verifier: string): string {
  if (!/^SCRAM-SHA-256\$[A-Za-z0-9+/=:$]+$/.test(verifier)) throw new Error("Not a verifier.");
  const name = identifier(role);
  return `
    alter role ${name} password '${verifier}';
    do $$ begin execute format('comment on role ${name} is %L', (
      select ${fingerprint} from pg_authid where rolname = '${name}'
    )); end $$`;
}

/** The fingerprint of `rolpassword` of a row of `pg_authid`, as SQL. */
export const fingerprint = "encode(sha256(convert_to(coalesce(rolpassword, ''), 'UTF8')), 'hex')";
