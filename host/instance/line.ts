// Which instance the clients of each line are led to: one file, exchanged in one step, so that at
// every moment there is one answer. A line is what a pooler knows a database by.
import { z } from "zod";
import { readIfExists, writeAtomically } from "../base/file.ts";

const File = z.record(z.string(), z.string());

/** The lines of a host. */
export interface Lines {
  /** The line an instance has the clients of; undefined for one that no client is led to. */
  of(instance: string): string | undefined;
  /** The instance of a line. */
  at(line: string): string | undefined;
  /** Leads a line to an instance, or nowhere; on disk before it returns. */
  set(line: string, instance: string | undefined): void;
}

/** Opens what is kept in a file. */
export function openLines(file: string): Lines {
  const lines = new Map(Object.entries(File.parse(JSON.parse(readIfExists(file) ?? "{}"))));
  return {
    of: (instance) => [...lines].find(([, at]) => at === instance)?.[0],
    at: (line) => lines.get(line),
    set(line, instance) {
      if (lines.get(line) === instance) return;
      if (instance === undefined) lines.delete(line);
      else lines.set(line, instance);
      writeAtomically(file, JSON.stringify(Object.fromEntries(lines)));
    },
  };
}
