// Networks a caller names: an address alone is a network of one.
import { z } from "@hono/zod-openapi";

const Address = z.union([
  z.ipv4().transform((address) => `${address}/32`),
  z.ipv6().transform((address) => `${address}/128`),
  z.cidrv4(),
  z.cidrv6(),
]);

const problem = "must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24";

/** A network in CIDR, also from an address without a prefix. */
export const Network = z
  .string(problem)
  .transform((text, check) => {
    const parsed = Address.safeParse(text.trim());
    if (parsed.success) return parsed.data;
    check.addIssue({ code: "custom", message: problem });
    return z.NEVER;
  })
  // The longest is `0000:…:0000:255.255.255.255/128`.
  .openapi({ type: "string", minLength: 2, maxLength: 49, example: "203.0.113.0/24" });

// All addresses in one space: IPv4 as its image in IPv6, `::ffff:0:0/96`.
interface Block {
  readonly start: bigint;
  /** Leading bits that all its addresses share, of 128. */
  readonly bits: number;
}

const bitsOfAddress = 128;
const bitsBeforeIpv4 = 96;

/** True when every address of `inner` is one of `outer`; both in CIDR. */
export function isWithin(inner: string, outer: string): boolean {
  const [within, around] = [blockOf(inner), blockOf(outer)];
  if (within === null || around === null || within.bits < around.bits) return false;
  const shift = BigInt(bitsOfAddress - around.bits);
  return within.start >> shift === around.start >> shift;
}

/** The network callers of an address are counted by: IPv6 is given out by the /64. */
export function neighborhoodOf(address: string): string {
  const block = blockOf(address);
  if (block === null || isWithin(address, "0.0.0.0/0")) return address;
  return (block.start >> 64n).toString(16);
}

/** Null for what is neither an address nor a network in CIDR. */
function blockOf(text: string): Block | null {
  const parsed = Address.safeParse(text.trim());
  if (!parsed.success) return null;
  const [address = "", bits] = parsed.data.split("/");
  const isIpv4 = !address.includes(":");
  const start = isIpv4 ? (0xffffn << 32n) | ipv4Number(address) : ipv6Number(address);
  return { start, bits: Number(bits) + (isIpv4 ? bitsBeforeIpv4 : 0) };
}

function ipv4Number(address: string): bigint {
  return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function ipv6Number(address: string): bigint {
  const [head = "", tail] = address.split("::");
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...new Array<bigint>(zeros).fill(0n), ...after];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

// A dotted tail stands for two groups.
function groupsOf(text: string): bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const number = ipv4Number(group);
    return [number >> 16n, number & 0xffffn];
  });
}
