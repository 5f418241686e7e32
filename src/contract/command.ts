// Every command the control plane may send to a host of instances.
import { z } from "zod";
import { backupCommands } from "./backup.ts";
import { databaseCommands } from "./database.ts";
import { dumpCommands } from "./dump.ts";
import { incidentCommands } from "./incident.ts";
import { logCommands } from "./log.ts";
import { markCommands } from "./mark.ts";
import { metricCommands } from "./metric.ts";
import { recoveryCommands } from "./recovery.ts";
import { sessionCommands } from "./session.ts";
import { statusCommands } from "./status.ts";
import { transitionCommands } from "./transition.ts";
import { verificationCommands } from "./verification.ts";

/** Each with what it takes and what it reports. All may be sent twice. */
export const hostCommands = {
  ...statusCommands,
  ...databaseCommands,
  ...sessionCommands,
  ...backupCommands,
  ...recoveryCommands,
  ...dumpCommands,
  ...verificationCommands,
  ...logCommands,
  ...metricCommands,
  ...transitionCommands,
  ...incidentCommands,
  ...markCommands,
} as const;

type Commands = typeof hostCommands;
export type HostCommandName = keyof Commands;
export type HostCommandInput<N extends HostCommandName> = z.infer<Commands[N]["input"]>;
export type HostCommandReport<N extends HostCommandName> = z.infer<Commands[N]["report"]>;

/** Body of `POST /commands`. The input is checked against the command's own schema afterwards. */
export const HostCommandRequest = z.strictObject({
  command: z.enum(Object.keys(hostCommands) as [HostCommandName, ...HostCommandName[]]),
  input: z.unknown(),
});
