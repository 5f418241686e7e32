// Rights and policies of an archive name roles, and an archive has no roles.
import type { Client } from "pg";

// Those of the database that was dumped; here they are the owner of what it becomes.
const ownName = /\b(own|usr|ro)_[a-z2-7]{20}\b/g;
// No such role, or none one may become: an archive from elsewhere names its own.
const unknownRole = new Set(["42704", "22023", "42501"]);
const rolesMax = 100;

interface Refusal {
  readonly code?: string;
  readonly message: string;
}

/** Gives the rights of an archive; what is given to roles there are none of is left out. */
export async function giveRights(client: Client, owner: string, text: string): Promise<void> {
  for (const statement of text.replaceAll(ownName, owner).split(/;\n/)) {
    await client.query(statement).catch((error: Refusal) => {
      if (!unknownRole.has(error.code ?? "")) throw error;
    });
  }
}

/** The role that a refused statement names and there is none of. */
function missingIn({ code, message }: Refusal): string | undefined {
  return code === "42704" ? /^role "(.*)" does not exist$/s.exec(message)?.[1] : undefined;
}

/**
 * Makes the policies of an archive. One without its roles would not be the same, so a role that is
 * missing is made, which nobody logs in as.
 */
export async function makePolicies(client: Client, owner: string, text: string): Promise<void> {
  if (text === "") return;
  const statements = text.replaceAll(ownName, owner);
  for (let made = 0; ; made++) {
    // All of them in one transaction: none is there when one is refused.
    const refusal = await client.query(statements).then(
      () => undefined,
      (error: Refusal) => error,
    );
    if (refusal === undefined) return;
    const role = missingIn(refusal);
    if (role === undefined || made === rolesMax) throw refusal;
    await client.query(`create role ${client.escapeIdentifier(role)} nologin`);
  }
}
