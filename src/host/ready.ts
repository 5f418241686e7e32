import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allHosts } from "./find.ts";

/** Whether a host answers. */
export interface HostReadiness {
  readonly id: string;
  readonly name: string;
  /** Why it does not answer; null when it does. */
  readonly reason: string | null;
}

/** Whether each registered host answers. */
export async function hostsReady(context: Context): Promise<readonly HostReadiness[]> {
  const rows = await allHosts(context);
  return Promise.all(
    rows.map(async ({ id, name }) => {
      try {
        await context.host.checkReady(id);
        return { id, name, reason: null };
      } catch (error) {
        const message = messageOf(error);
        context.log({ level: "warning", message, host: name });
        return { id, name, reason: message };
      }
    }),
  );
}
