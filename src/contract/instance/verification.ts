// Verifications: databases that are recovered to be looked at.
import { z } from "zod";
import { DatabaseName } from "../database.ts";
import { Nothing } from "../protocol.ts";
import { VerificationReport, verifiedMax } from "../verification.ts";

const OneVerification = z.strictObject({ verification_id: z.uuid() });

/** How they begin, what they come to and how they end. */
export const verificationCommands = {
  /** Begins to recover databases and to look at what came back; with a known id, nothing. */
  "verification.start": {
    input: z.strictObject({
      verification_id: z.uuid(),
      /** The id is the control plane's own, to be answered with. */
      databases: z
        .array(z.strictObject({ database_id: z.uuid(), database: DatabaseName }))
        .min(1)
        .max(verifiedMax),
    }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_verification` also when the host was restarted meanwhile. */
  "verification.status": { input: OneVerification, report: VerificationReport },
  /** Ends it, whatever it does, and removes all of it. */
  "verification.end": { input: OneVerification, report: Nothing },
} as const;
