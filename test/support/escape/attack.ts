// Statements a hostile tenant tries, by the SQLSTATE each must be refused with. A tenant owns its
// database in a Postgres of its own, so that nothing there has another tenant's name.

/** By SQLSTATE. Braces name what differs from run to run, see `Target`. */
export type Attacks = Readonly<Record<string, readonly string[]>>;

/** Whom an attack comes from (`my`) and whom it is aimed at (`their`). */
export interface Target {
  readonly myDatabase: string;
  readonly myLogin: string;
  readonly theirDatabase: string;
  readonly theirLogin: string;
  /** Of a backend of theirs that is connected. */
  readonly theirPid: string;
}

/** The statement with its names put in. */
export function aimed(text: string, target: Target): string {
  return text.replaceAll(/\{(\w+)\}/g, (_, name: keyof Target) => target[name]);
}

/** Every attack of some tables as `[sqlstate, text]`. */
export function listOf(...tables: readonly Attacks[]): readonly (readonly [string, string])[] {
  return tables.flatMap((table) =>
    Object.entries(table).flatMap(([code, texts]) => texts.map((text) => [code, text] as const)),
  );
}
