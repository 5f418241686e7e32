/** The groups of an IPv6 address in full: eight numbers of 16 bits. */
function groupsOf(address: string): number[] {
  // The URL parser also turns a dotted tail (`::ffff:10.0.0.1`) into groups.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const read = (text: string) => (text === "" ? [] : text.split(":").map((group) => `0x${group}`));
  const [before, after] = [read(head), read(tail ?? "")];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before.map(Number), ...zeros, ...after.map(Number)];
}

function mask(parts: readonly number[], bitsEach: number, prefix: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(Math.max(prefix - index * bitsEach, 0), bitsEach);
    return part & (2 ** bitsEach - 2 ** (bitsEach - kept));
  });
}

/** `10.1.2.3/8` → `10.0.0.0/8`: PgBouncer matches nobody when a bit after the prefix is set. */
export function networkOf(cidr: string): string {
  const [address = "", length = ""] = cidr.split("/");
  const prefix = Number(length);
  if (!address.includes(":")) {
    return `${mask(address.split(".").map(Number), 8, prefix).join(".")}/${prefix}`;
  }
  const groups = mask(groupsOf(address), 16, prefix).map((group) => group.toString(16));
  return `${groups.join(":")}/${prefix}`;
}
