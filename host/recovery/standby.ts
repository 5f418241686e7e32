// Has a recovered instance stay as it is: it is started again as a standby of nobody, which takes
// reads only, whoever asks.
import type { Running } from "../base/running.ts";
import type { Box } from "../instance/box.ts";
import { writeSettings } from "../instance/files.ts";
import { writeInside } from "../instance/inside.ts";
import { startServer, stopServer } from "../instance/server.ts";
import type { InstanceSize } from "../instance/size.ts";

// Whoever only looks needs no longer; what is forgotten open goes.
const more = ["statement_timeout = '5min'", "idle_in_transaction_session_timeout = '5min'"];

/** @returns the process it runs in by now */
export async function standStill(box: Box, server: Running, size: InstanceSize): Promise<Running> {
  await stopServer(server);
  writeSettings(box, size, more);
  writeInside(box.place.box, ["data", "standby.signal"], "", box.uid);
  return startServer(box);
}
