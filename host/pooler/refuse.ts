// Has a PgBouncer refuse the clients of databases that are stopped: it says so at once, where it
// would else look for a Postgres that is not there. It keeps that over a RELOAD, not over a start.
import type { Session } from "../base/session.ts";
import type { Line } from "./render.ts";

interface Row extends Record<string, unknown> {
  readonly name: string;
  readonly disabled: number | string;
}

/** Makes it for one pooler. `anew` tells that another process may have taken its place. */
export function createRefusal(console: Session) {
  /** Whom it refuses; undefined while that is not known. */
  let refused: ReadonlySet<string> | undefined;

  const isAsWanted = (wanted: ReadonlySet<string>) =>
    refused?.size === wanted.size && [...wanted].every((name) => refused?.has(name));

  return {
    anew(): void {
      refused = undefined;
    },
    async apply(lines: readonly Line[]): Promise<void> {
      const stopped = lines.filter(({ isStopped }) => isStopped === true);
      const wanted = new Set(stopped.map(({ database }) => database));
      if (isAsWanted(wanted)) return;
      const rows = await console.query<Row>("SHOW DATABASES");
      const disabled = new Set(rows.filter((row) => Number(row.disabled) === 1).map(nameOf));
      for (const name of wanted) if (!disabled.has(name)) await console.query(`DISABLE ${name}`);
      for (const { database } of lines) {
        if (disabled.has(database) && !wanted.has(database)) {
          await console.query(`ENABLE ${database}`);
        }
      }
      refused = wanted;
    },
  };
}

const nameOf = ({ name }: Row) => name;
