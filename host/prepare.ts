// What the cluster holds beside tenants: roles, the poolers' look-up, the template. Each start
// looks again, as a crash may have come between any two statements.
import { readFileSync } from "node:fs";
import type { HostConfig } from "./config.ts";
import { controlSession } from "./postgres.ts";
import { controlUser, poolerDatabase, poolerUser, type Secrets } from "./secret.ts";
import type { Session } from "./session.ts";

const template = "miosa_template";

function readSql(name: string): string {
  return readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), "utf8");
}

async function exists(control: Session, database: string): Promise<boolean> {
  const text = `select from pg_database where datname = '${database}'`;
  return (await control.query(text)).length > 0;
}

/** The role may log in from the moment it has its password, which then never changes. */
async function preparePoolerLogin(control: Session, secrets: Secrets): Promise<void> {
  const [role] = await control.query<{ rolcanlogin: boolean }>(
    `select rolcanlogin from pg_roles where rolname = '${poolerUser}'`,
  );
  if (role?.rolcanlogin) return;
  const text = `alter role ${poolerUser} login password '${secrets.pooler_password}'`;
  await control.query(`set scram_iterations = 1; ${text}; reset scram_iterations`);
}

/** Brings the cluster to its shape. `control` is a superuser session in database postgres. */
export async function prepareCluster(
  config: HostConfig,
  secrets: Secrets,
  control: Session,
): Promise<void> {
  await control.query(readSql("postgres"));
  await preparePoolerLogin(control, secrets);
  if (!(await exists(control, poolerDatabase))) {
    await control.query(`create database ${poolerDatabase} template template0`);
  }
  const auth = controlSession(config, secrets, poolerDatabase);
  await auth.query(readSql("pgb-auth")).finally(() => auth.close());
  if (!(await exists(control, template))) {
    await control.query(`create database ${template} template template0`);
  }
  await control.query(`revoke all on database ${template} from public`);
  // Nobody may sit in the template: a session there would hold up every CREATE DATABASE.
  await control.query(`alter database ${template} is_template true allow_connections false`);
}

/** The superuser's SCRAM verifier, for the poolers' consoles. */
export async function readControlVerifier(control: Session): Promise<string> {
  const [row] = await control.query<{ rolpassword: string }>(
    `select rolpassword from pg_authid where rolname = '${controlUser}'`,
  );
  if (row === undefined) throw new Error(`Role ${controlUser} is gone: restore it as superuser.`);
  return row.rolpassword;
}
