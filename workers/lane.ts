// The one Durable Object. A lane is what is done one at a time; it orders, and stores nothing but
// its alarm: every row is in D1. The lane of a host also lends that host's connections.

import { DurableObject } from "cloudflare:workers";
import { messageOf } from "../src/core/error.ts";
import { type LocalHost, localHost } from "../src/host/local.ts";
import type { HostCall, HostReply } from "../src/host/port.ts";
import { createContext, type Env, log, now, random, readSecrets } from "./context.ts";
import { run } from "./run.ts";

// Spares are made in the pauses between calls; and an open socket keeps the object in memory.
const pauseMilliseconds = 250;
const idleMilliseconds = 60_000;

export class Lane extends DurableObject<Env> {
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;
  #host: LocalHost | null = null;
  #calls = 0;
  #timer: number | null = null;

  /** Runs the lane until it rests. Calls that come meanwhile share one more look at the rows. */
  async drive(): Promise<void> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null;
      this.#running = this.#run();
      return this.#running;
    });
    await this.#waiting;
  }

  /** One effect on this lane's host, over its warm connections. */
  async perform(call: HostCall): Promise<HostReply> {
    clearTimeout(this.#timer);
    this.#calls++;
    try {
      this.#host ??= await this.#openHost();
      return await this.#host.perform(call);
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#later(pauseMilliseconds, () => this.#makeSpares());
    }
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

  async #makeSpares(): Promise<void> {
    try {
      while (this.#calls === 0 && (await this.#host?.makeSpare()) === true);
    } catch (error) {
      log({ level: "warning", message: messageOf(error), lane: this.#name() });
    }
    if (this.#calls === 0) this.#later(idleMilliseconds, () => this.#host?.closeIdle());
  }

  #later(milliseconds: number, work: () => unknown): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, milliseconds);
  }

  async #openHost(): Promise<LocalHost> {
    const [, hostId = ""] = this.#name().split(":");
    const context = await createContext(this.env);
    const { hostKey } = await readSecrets(this.env);
    const access = { hostKey, fetch: fetch.bind(globalThis), now, random };
    return localHost(context, access, hostId);
  }

  #name(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A lane is addressed by its name.");
    return name;
  }
}
