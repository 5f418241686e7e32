import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";

const Port = z.int().min(1).max(65_535);

const Ports = z.object({
  /** The host program's HTTP. */
  http: Port,
  transaction: Port,
  session: Port,
});
export type Ports = z.infer<typeof Ports>;
type PortName = keyof Ports;

// Below the ports that Linux gives to outgoing connections: a port of ours is in every
// DATABASE_URL, so nobody should have it at the next start.
const first = 20_000;
const last = 31_999;

const address = "127.0.0.1";

/** True when this process could listen there now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

/** A free port, looked for from a place that is the state directory's own. */
async function findFree(seed: string, taken: ReadonlySet<number>): Promise<number> {
  const hash = createHash("sha256").update(seed).digest().readUInt32BE(0);
  const count = last - first + 1;
  for (let step = 0; step < count; step++) {
    const port = first + ((hash + step) % count);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No port from ${first} to ${last} is free on ${address}.`);
}

/** What `keepPorts` has to know of a state directory. */
export interface PortOwner {
  readonly file: string;
  readonly home: string;
  /** True when a server of this state directory, left by an earlier start, has the port. */
  readonly isOurs: (name: PortName) => boolean;
}

/** The recorded ports, each replaced when somebody else has it by now; `moved` names those. */
export async function keepPorts(owner: PortOwner) {
  const kept = readIfExists(owner.file);
  const before = kept === undefined ? undefined : Ports.parse(JSON.parse(kept));
  const ports = new Map<PortName, number>();
  const moved: PortName[] = [];
  for (const name of ["transaction", "session", "http"] as const) {
    const port = before?.[name];
    if (port !== undefined && (owner.isOurs(name) || (await isFree(port)))) {
      ports.set(name, port);
      continue;
    }
    if (port !== undefined) moved.push(name);
    ports.set(name, await findFree(`${owner.home} ${name}`, new Set(ports.values())));
  }
  const now = Ports.parse(Object.fromEntries(ports));
  writeAtomically(owner.file, `${JSON.stringify(now)}\n`);
  return { ports: now, moved };
}
