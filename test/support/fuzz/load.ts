// Sends talks from a process of its own, so that whoever measures meanwhile does nothing else.
import { connect } from "node:net";
import { makeOrderly, makeTalk, type Talk, type Victim } from "./message.ts";
import { createChooser } from "./random.ts";

/** What to send, and where. */
export interface Load {
  readonly seed: number;
  readonly messages: number;
  /** The same number of connections and messages, with nothing wrong in them. */
  readonly isOrderly: boolean;
  readonly victim: Victim;
  readonly poolerPorts: readonly number[];
  readonly hostPort: number;
}

const concurrency = 64;
const answerMilliseconds = 100;
const closeMilliseconds = 300;

/** Sends one talk; resolves once the connection is over. */
function send({ messages, isDialogue }: Talk, port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const left = [...messages];
    let timer: NodeJS.Timeout | undefined;
    const next = () => {
      clearTimeout(timer);
      const message = left.shift();
      if (message !== undefined) socket.write(message);
      if (left.length > 0) {
        if (!isDialogue) return next();
        timer = setTimeout(next, answerMilliseconds);
        return;
      }
      socket.end();
      timer = setTimeout(() => socket.destroy(), closeMilliseconds);
    };
    socket.once("connect", next);
    socket.on("data", () => {
      if (left.length > 0 && isDialogue) next();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Sends a whole load; how many messages it was. */
async function sendAll(load: Load): Promise<number> {
  const { seed, victim, poolerPorts, hostPort, isOrderly } = load;
  const random = createChooser(seed);
  let sent = 0;
  const worker = async () => {
    while (sent < load.messages) {
      const odd = makeTalk(random, victim);
      const talk = isOrderly ? makeOrderly(odd, victim) : odd;
      sent += talk.messages.length;
      await send(talk, talk.door === "host" ? hostPort : random.pick(poolerPorts));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return sent;
}

process.once("message", async (load: Load) => {
  process.send?.(await sendAll(load), () => process.exit());
});
