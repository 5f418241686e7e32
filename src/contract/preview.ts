// A recovered database that is open for reading.
import { z } from "zod";
import { DatabaseName } from "./database.ts";
import { DatabaseSettings } from "./setting.ts";

/** How a recovered database is opened for reading, as it is, through both poolers. */
export const PreviewRequest = z.strictObject({
  /** What clients call it; the poolers know it by this name alone. */
  name: DatabaseName,
  /** The one login that is let in; no role of Postgres has its name. */
  login: z.string().regex(/^pre_[a-z2-7]{20}$/),
  /** Its SCRAM-SHA-256 verifier. */
  verifier: z.string().regex(/^SCRAM-SHA-256\$[\w+/=:$]{20,300}$/),
  /** It is removed that long after it was first opened, with or without being asked to. */
  keep_seconds: z.int().min(1).max(86_400),
  settings: DatabaseSettings.omit({ suspend_after_seconds: true }),
});
export type PreviewRequest = z.infer<typeof PreviewRequest>;
