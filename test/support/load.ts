// Clients that ask one question over and over, and come back when they are sent away.
import { setImmediate as turn } from "node:timers/promises";
import type { Client } from "pg";
import { connected } from "./client.ts";

/** What such clients heard. */
export interface Heard {
  /** Every answer, once. */
  readonly words: ReadonlySet<string>;
  /** Every error's words, once. */
  readonly errors: ReadonlySet<string>;
  readonly answers: number;
}

/** Clients at a URL that ask for the word of their database, until `stop`. */
export function startLoad(url: string, count = 4) {
  const words = new Set<string>();
  const errors = new Set<string>();
  let answers = 0;
  let isOver = false;

  async function ask(client: Client): Promise<void> {
    while (!isOver) {
      const { rows } = await client.query({ name: "word", text: "select word from word" });
      words.add(String(rows[0]?.word));
      answers++;
    }
  }

  async function play(): Promise<void> {
    while (!isOver) {
      try {
        const client = await connected(url);
        await ask(client).finally(() => client.end());
      } catch (error) {
        errors.add(error instanceof Error ? error.message : String(error));
        await turn();
      }
    }
  }

  const playing = Array.from({ length: count }, play);
  return {
    heard: (): Heard => ({ words, errors, answers }),
    async stop(): Promise<Heard> {
      isOver = true;
      await Promise.all(playing);
      return { words, errors, answers };
    },
  };
}
