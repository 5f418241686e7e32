// Which users of a system are nobody's: ranges that /etc/subuid gives to somebody, and ranges that
// nobody has there. Databases run as one of them each.

/** Numbers in a row. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

const end = ({ first, count }: Range) => first + count;
const meet = (one: Range, other: Range) => one.first < end(other) && other.first < end(one);

/** All ranges of a file such as /etc/subuid, with whose each is. */
function rangesIn(text: string): readonly (Range & { readonly owner: string })[] {
  return text.split("\n").flatMap((line) => {
    const [, owner = "", first, count] = /^([^:#\s]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    return owner === "" ? [] : [{ owner, first: Number(first), count: Number(count) }];
  });
}

/** The longest range that is one user's, who may stand there by name or by number. */
export function rangeOf(text: string, owners: readonly string[]): Range | undefined {
  const own = rangesIn(text).filter(({ owner }) => owners.includes(owner));
  const [longest] = own.toSorted((one, other) => other.count - one.count);
  return longest === undefined ? undefined : { first: longest.first, count: longest.count };
}

/** The numbers a user namespace has, of /proc/self/uid_map. */
export function mappedIn(text: string): readonly Range[] {
  return text.split("\n").flatMap((line) => {
    const [, first, count] = /^\s*(\d+)\s+\d+\s+(\d+)\s*$/.exec(line) ?? [];
    return first === undefined ? [] : [{ first: Number(first), count: Number(count) }];
  });
}

/** Numbers of users that are somebody's, of a file such as /etc/passwd. */
function takenIn(text: string): readonly Range[] {
  return text.split("\n").flatMap((line) => {
    const number = Number(line.split(":")[2] ?? Number.NaN);
    return Number.isInteger(number) ? [{ first: number, count: 1 }] : [];
  });
}

/** What a system says of its users and groups. */
export interface SystemUsers {
  /** /etc/subuid and /etc/subgid. */
  readonly subordinate: readonly string[];
  /** /etc/passwd and /etc/group. */
  readonly known: readonly string[];
  /** /proc/self/uid_map and gid_map. */
  readonly maps: readonly string[];
}

const blockCount = 65_536;
// Above what distributions, containers and nspawn give away by themselves.
const highFirst = 0x7000_0000;
const highBlocks = 3000;
// In a container that has few: above people, below what systemd gives to services that come and go.
const low: Range = { first: 20_000, count: 40_000 };

/**
 * A range that is nobody's and that this system has; the same one for the same `seed`, a number
 * that differs between two installations. Undefined when there is none.
 */
export function freeRange(
  { subordinate, known, maps }: SystemUsers,
  seed: number,
): Range | undefined {
  const taken = [...subordinate.flatMap(rangesIn), ...known.flatMap(takenIn)];
  const isMapped = (range: Range) =>
    maps.every((text) =>
      mappedIn(text).some((all) => all.first <= range.first && end(range) <= end(all)),
    );
  const isFree = (range: Range) => isMapped(range) && !taken.some((one) => meet(one, range));
  const high = Array.from({ length: highBlocks }, (_, at) => {
    const block = (seed + at) % highBlocks;
    return { first: highFirst + block * blockCount, count: blockCount };
  });
  return [...high, low].find(isFree);
}
