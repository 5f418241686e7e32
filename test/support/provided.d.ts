// What the runner tells tests that are in another process than it.
import type {} from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** URLs of the receiver whose certificate changes, and of its control port. */
    readonly tlsReceiver: { readonly url: string; readonly control: string };
  }
}
