import type { LaidOuts } from "./laid-out.ts";
import type { Repository } from "./repository.ts";

/** What a recovery reads. */
export interface RecoverySource {
  /** 1 is beside the instances, 2 the store. */
  readonly number: 1 | 2;
  readonly repository: Pick<Repository, "list" | "restore" | "segments" | "fetch">;
  /** Copies of segments that were taken lately, finished or not, with histories. */
  readonly wal: string;
  /** Base backups that are laid out already. */
  readonly laidOuts?: LaidOuts;
  /** Keeps all of it until the function it returns is called. */
  readonly hold?: () => () => void;
  /** Fetches it, before anything of it is asked for. */
  readonly prepare?: () => Promise<void>;
}
