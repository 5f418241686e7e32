// Every command the control plane may send to a host.
import { z } from "zod";
import { archiveCommands } from "./archive.ts";
import { baseBackupCommands } from "./base-backup.ts";
import { databaseCommands } from "./database.ts";
import { dumpCommands } from "./dump.ts";
import { incidentCommands } from "./incident.ts";
import { logCommands } from "./log.ts";
import { markCommands } from "./mark.ts";
import { metricCommands } from "./metric.ts";
import { momentCommands } from "./moment.ts";
import { recoveryCommands } from "./recovery.ts";
import { statusCommands } from "./status.ts";
import { transitionCommands } from "./transition.ts";
import { verificationCommands } from "./verification.ts";

/** Each with what it takes and what it reports. All may be sent twice. */
export const hostCommands = {
  ...statusCommands,
  ...databaseCommands,
  ...incidentCommands,
  ...markCommands,
  ...transitionCommands,
  ...logCommands,
  ...metricCommands,
  ...baseBackupCommands,
  ...archiveCommands,
  ...momentCommands,
  ...recoveryCommands,
  ...verificationCommands,
  ...dumpCommands,
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
