/** Whether figures are tried out small, as `npm test` does: the numbers then mean nothing. */
export const isToy: boolean = process.argv.includes("--toy");

/** How large something is: as published unless a variable says otherwise, small in a try-out. */
export function size(full: number, toy: number, variable?: string): number {
  const wanted = variable === undefined ? undefined : process.env[variable];
  if (isToy) return toy;
  return wanted === undefined ? full : Number(wanted);
}
