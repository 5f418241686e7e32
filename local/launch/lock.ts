import { createHash } from "node:crypto";
import { createConnection, createServer } from "node:net";

function address(home: string): string {
  return `\0miosa-launch-${createHash("sha256").update(home).digest("hex")}`;
}

/** The pid of the launcher that runs a state directory now, or undefined. */
export function findRunning(home: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = createConnection(address(home));
    socket.setTimeout(1000, () => socket.destroy());
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.once("error", () => resolve(undefined));
    socket.once("close", () => resolve(Number.parseInt(text, 10) || undefined));
  });
}

/**
 * Makes sure that one launcher at most runs a state directory. The lock is a socket without a
 * file: the kernel frees it at the very moment this process ends, however it ends.
 */
export function lockHome(home: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end(`${process.pid}\n`);
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") return reject(error);
      findRunning(home).then((pid) => reject(new Error(alreadyRuns(home, pid))), reject);
    });
    server.listen(address(home), () => resolve());
    server.unref();
  });
}

/** What to tell who starts a second one. */
export function alreadyRuns(home: string, pid: number | undefined): string {
  const who = pid === undefined ? "" : ` (process ${pid})`;
  return (
    `MIOSA Postgres already runs in ${home}${who}. Stop it with Ctrl-C there, or start another` +
    " one with its own MIOSA_HOME and MIOSA_PORT."
  );
}
