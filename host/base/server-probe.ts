// Asks a server whether it lets anybody in: over a connection of its own, as one that is open says
// nothing about the next. It begins a login, or asks for encryption, and leaves before the answer.
import { connect } from "node:net";

const protocol = 196_608;

/** What a server does with whoever comes. */
export type Answer =
  /** It asks for a password, or refuses for a reason of the client's. */
  | "answers"
  /** It lives and will let clients in by itself: it starts, or recovers from a crash. */
  | "starting"
  /** It was told to stop and lets nobody in. */
  | "leaving"
  /** Nothing came, or there is nobody. */
  | "silent";

/** Whom to ask: where it listens, and who to say one is. */
export interface ProbeTarget {
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  /** Without one it asks for encryption alone, which every server answers before a login. */
  readonly login?: { readonly user: string; readonly database: string };
}

// For GSS: it is declined in a byte and nothing follows, where TLS would begin a handshake.
const encryptionRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);

function firstMessage({ login }: ProbeTarget): Buffer {
  if (login === undefined) return encryptionRequest;
  const { user, database } = login;
  const body = Buffer.from(`user\0${user}\0database\0${database}\0\0`, "utf8");
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(protocol, 4);
  return Buffer.concat([head, body]);
}

/** What the first bytes of an answer mean. */
export function readAnswer(bytes: Buffer): Answer {
  if (bytes[0] !== 0x45) return "answers";
  const said = bytes.subarray(5).toString("latin1");
  if (/starting up|not yet accepting|recovery/.test(said)) return "starting";
  return /shutting down|shut down/.test(said) ? "leaving" : "answers";
}

/** Asks once; `milliseconds` is how long an answer may take. */
export function probeServer(target: ProbeTarget, milliseconds: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect(target.at, () => socket.write(firstMessage(target)));
    const end = (answer: Answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(milliseconds, () => end("silent"));
    // One that was told to stop closes its door first.
    socket.once("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ECONNREFUSED" ? "leaving" : "silent"),
    );
    socket.once("close", () => resolve("silent"));
    socket.once("data", (bytes) => end(readAnswer(bytes)));
  });
}
