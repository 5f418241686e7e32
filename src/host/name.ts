/** Names are ours alone; anything else is a defect, never quoted around. */
export function identifier(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error("Not a name this system makes.");
  return name;
}

/** Key of the advisory lock that stands for a database's name, as SQL. */
export function lockKey(database: string): string {
  return `hashtextextended('${identifier(database)}', 0)`;
}
