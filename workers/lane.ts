// The one Durable Object. A lane is what is done one at a time; it orders, and stores nothing but
// its alarm: every row is in D1.
import { DurableObject } from "cloudflare:workers";
import { messageOf } from "../src/core/error.ts";
import { createContext, type Env, log, now } from "./context.ts";
import { run } from "./run.ts";

export class Lane extends DurableObject<Env> {
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;

  /** Runs the lane until it rests. Calls that come meanwhile share one more look at the rows. */
  async drive(): Promise<void> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null;
      this.#running = this.#run();
      return this.#running;
    });
    await this.#waiting;
  }

  /** Has the lane driven at once by its alarm, which also outlives this process. */
  async wake(): Promise<void> {
    await this.ctx.storage.setAlarm(now());
  }

  override async alarm(): Promise<void> {
    await this.drive();
  }

  async #run(): Promise<void> {
    const context = await createContext(this.env);
    try {
      const { dueAt } = await run(context, this.#name());
      if (dueAt !== null) await this.#wakeBy(dueAt);
    } catch (error) {
      // The row still says what is to be done; the sweep comes back to it.
      log({ level: "error", message: messageOf(error), lane: this.#name() });
    }
  }

  // Who woke the lane meanwhile is not put off.
  async #wakeBy(dueAt: Date): Promise<void> {
    const earlier = await this.ctx.storage.getAlarm();
    if (earlier === null || earlier > dueAt.getTime()) await this.ctx.storage.setAlarm(dueAt);
  }

  #name(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A lane is addressed by its name.");
    return name;
  }
}
