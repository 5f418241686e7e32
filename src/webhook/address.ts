// Where an endpoint may be: https on a public host. Law: what is not plainly that is refused. The
// text is judged before any parser has normalised it, so that no other reading of it is left.

/** Development only: receivers on this machine, but for the ports of the system itself. */
export interface Loopback {
  readonly closedPorts: ReadonlySet<number>;
}

/** An endpoint's URL, with the name that is still to be resolved; null for a receiver here. */
export type Address =
  | { readonly url: string; readonly hostname: string | null; readonly problem: null }
  | { readonly problem: string };

/** Characters of a URL at most. */
export const lengthMax = 2048;
const ports = new Set(["443", "8443"]);
const loopbackForm = /^http:\/\/127\.0\.0\.1:([1-9]\d{3,4})(\/[^\s#\\]*)?$/;
const httpsForm = /^https:\/\/([^/?#]*)([/?][^#]*)?$/i;
const hostForm = /^[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)+$/;
const topForm = /^([a-z]{2,63}|xn--[a-z\d-]{1,59})$/;
// Reserved names, and those that mean something inside a network only.
const internalSuffixes = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "arpa",
  "test",
  "example",
  "invalid",
  "alt",
  "onion",
];
const metadataNames = new Set(["metadata.packet.net", "metadata.platformequinix.com"]);

/** Judges a URL by its spelling alone. */
export function readAddress(text: string, loopback: Loopback | null): Address {
  if (text.length > lengthMax) return refuse(`must have at most ${lengthMax} characters`);
  if (/[^\x21-\x7e]|\\/.test(text)) {
    return refuse("must be ASCII without spaces or backslashes; write its host in punycode");
  }
  const local = loopbackForm.exec(text);
  if (loopback !== null && local !== null) return readLoopback(text, Number(local[1]), loopback);
  const found = httpsForm.exec(text);
  if (found === null) return refuse("must be an https:// URL without a fragment");
  const [, authority = ""] = found;
  if (authority.includes("@")) return refuse("must not hold a user or a password; use `headers`");
  const [, host = "", port = "443"] = /^([^:]*)(?::(\d{1,5}))?$/.exec(authority) ?? [];
  const problem = hostProblem(host.toLowerCase());
  if (problem !== null) return refuse(problem);
  if (!ports.has(port)) return refuse(`must use port ${[...ports].join(" or ")}`);
  return parsed(text, host.toLowerCase());
}

function hostProblem(host: string): string | null {
  if (host.length > 253 || !hostForm.test(host) || /[^.]{64}/.test(host)) {
    return "must name a public host, such as hooks.example.com; addresses are not taken";
  }
  const top = host.slice(host.lastIndexOf(".") + 1);
  if (!topForm.test(top)) return "must name a host, not an address";
  const isInternal = internalSuffixes.includes(top) || metadataNames.has(host);
  return isInternal ? "must name a public host, not one of an internal network" : null;
}

// The one reader that follows must have understood the same host.
function parsed(text: string, hostname: string): Address {
  const url = URL.parse(text);
  if (url === null || url.hostname !== hostname) return refuse("must be a valid URL");
  return { url: url.href, hostname, problem: null };
}

function readLoopback(text: string, port: number, { closedPorts }: Loopback): Address {
  const url = URL.parse(text);
  if (url === null || url.hostname !== "127.0.0.1" || port < 1024 || port > 65_535) {
    return refuse("must be http://127.0.0.1 with a port from 1024 to 65535, or an https:// URL");
  }
  if (closedPorts.has(port)) return refuse(`must not use port ${port}: it is this system's own`);
  return { url: url.href, hostname: null, problem: null };
}

function refuse(problem: string): Address {
  return { problem };
}

// First and last address of each range that is not public, by the registries of special purposes.
const specialRanges: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

/** True for an address in its usual spelling, of either family, that everyone can reach. */
export function isPublic(address: string): boolean {
  if (address.includes(":")) return isPublicSix(address);
  const value = fourOf(address);
  if (value === null) return false;
  return !specialRanges.some(([base, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(value / size) === Math.floor((fourOf(base) ?? 0) / size);
  });
}

function fourOf(address: string): number | null {
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const numbers = parts.map(Number);
  if (numbers.some((part) => part > 255)) return null;
  return numbers.reduce((sum, part) => sum * 256 + part, 0);
}

// Only what is handed out (2000::/3), without tunnels, which hold another address, and examples.
function isPublicSix(address: string): boolean {
  const groups = sixOf(address);
  if (groups === null) return false;
  const [first = 0, second = 0] = groups;
  if (first < 0x2000 || first > 0x3fff) return false;
  if (first === 0x2002 || (first === 0x3fff && second < 0x1000)) return false;
  return first !== 0x2001 || (second >= 0x200 && second !== 0xdb8);
}

function sixOf(address: string): number[] | null {
  const halves = address.split("::");
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16));
}
