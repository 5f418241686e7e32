// What a tenant's WebSocket holds in this program: bytes of a message that is not whole yet, and of
// whole ones that the pooler has not taken.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Holder } from "./share.ts";

/** What may come before the pooler has let the client in. */
export const strangerBytesMax = 10_000;
// What a socket reads at once; it is gone with the next turn of the loop.
const passingBytes = 64 * 1024;

const authenticationType = 0x52;
const authenticationOk = 0;
const headBytes = 9;

/** Ends a WebSocket with a reason: "try again later" of the registry of close codes. */
export function closeBusy(webSocket: WebSocket, reason: string): void {
  webSocket.close(1013, reason);
  setImmediate(() => webSocket.terminate());
}

/** Counts what comes on the socket under a WebSocket; call it before the handshake. */
export function createMeter(raw: Duplex) {
  let webSocket: WebSocket | undefined;
  let holder: Holder | undefined;
  let queuedBytes = () => 0;
  let isTrusted = false;
  let [all, unfinished] = [0, 0];

  function count(): void {
    if (holder === undefined || webSocket === undefined) return;
    const held = unfinished + queuedBytes();
    holder.set(held > passingBytes ? held : 0);
    if (holder.isOver()) closeBusy(webSocket, "Too much is on its way at once: send less.");
  }

  raw.on("data", ({ length }: Buffer) => {
    all += length;
    unfinished += length;
    if (isTrusted) return;
    if (holder === undefined && all > strangerBytesMax) raw.destroy();
    else count();
  });
  raw.once("close", () => holder?.release());

  return {
    /** Says which WebSocket it is about. */
    attach(to: WebSocket): void {
      webSocket = to;
      to.on("message", () => {
        unfinished = 0;
        count();
      });
    },
    /** The client has been let in: from now on its bytes count for its database. */
    admit(by: Holder, stream: Duplex, pooler: Socket): void {
      holder = by;
      queuedBytes = () => stream.readableLength + pooler.writableLength;
      pooler.on("drain", count);
    },
    /** The control plane's: nothing of it is counted. */
    trust(): void {
      isTrusted = true;
    },
  };
}
export type Meter = ReturnType<typeof createMeter>;

/** Calls back once a server has let in whoever talks to it through this socket. */
export function onceLetIn(pooler: Socket, letIn: () => void): void {
  let bytes = Buffer.alloc(0);
  const read = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= headBytes) {
      const isAuthentication = bytes[0] === authenticationType;
      if (isAuthentication && bytes.readUInt32BE(5) === authenticationOk) {
        pooler.off("data", read);
        return letIn();
      }
      const length = 1 + bytes.readUInt32BE(1);
      if (bytes.length < length) return;
      bytes = bytes.subarray(length);
    }
  };
  pooler.on("data", read);
}
