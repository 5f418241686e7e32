import { inject } from "vitest";
import { systemIn } from "./system.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** State directory of the system that the end-to-end files share. */
    readonly systemHome: string;
  }
}

/** The system that start-system.ts has started. */
export const system = systemIn(inject("systemHome"));
