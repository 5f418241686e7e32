import { createHash } from "node:crypto";
import { createServer } from "node:net";

/**
 * Makes sure that one host program at most serves a directory. The lock is a socket without a
 * file: the kernel frees it at the very moment this program ends, however it ends.
 */
export function lockDirectory(directory: string): Promise<void> {
  const name = createHash("sha256").update(directory).digest("hex");
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = `Another host program runs ${directory}: stop it first.`;
      reject(error.code === "EADDRINUSE" ? new Error(taken) : error);
    });
    server.listen(`\0miosa-host-${name}`, () => resolve());
    server.unref();
  });
}
