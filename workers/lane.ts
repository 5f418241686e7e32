// The one Durable Object. A lane is what is done one at a time; it orders, and stores nothing but
// its alarm: every row is in D1. The lane of a cluster also lends that cluster's connections.
import { DurableObject } from "cloudflare:workers";
import { type LocalCluster, localCluster } from "../src/cluster/local.ts";
import type { ClusterCall, ClusterReply } from "../src/cluster/port.ts";
import { runLane } from "../src/operation/run.ts";
import { createContext, type Env, now, random, readSecrets } from "./context.ts";
import { registry } from "./registry.ts";

// An open socket keeps the object in memory, so idle ones go.
const idleMilliseconds = 60_000;

export class Lane extends DurableObject<Env> {
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;
  #cluster: LocalCluster | null = null;
  #idleTimer: number | null = null;

  /** Runs the lane until it rests. Calls that come meanwhile share one more look at the rows. */
  async drive(): Promise<void> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null;
      this.#running = this.#run();
      return this.#running;
    });
    await this.#waiting;
  }

  /** One effect on this lane's cluster, over its warm connections. */
  async perform(call: ClusterCall): Promise<ClusterReply> {
    clearTimeout(this.#idleTimer);
    this.#cluster ??= await this.#openCluster();
    const reply = await this.#cluster.perform(call);
    this.#idleTimer = setTimeout(() => this.#cluster?.closeIdle(), idleMilliseconds);
    return reply;
  }

  override async alarm(): Promise<void> {
    await this.drive();
  }

  async #run(): Promise<void> {
    const context = await createContext(this.env);
    try {
      const { dueAt } = await runLane(context, registry, this.#name());
      if (dueAt !== null) await this.ctx.storage.setAlarm(dueAt);
    } catch (error) {
      // The row still says what is to be done; the sweep comes back to it.
      const message = error instanceof Error ? error.message : String(error);
      context.log({ level: "error", message, lane: this.#name() });
    }
  }

  async #openCluster(): Promise<LocalCluster> {
    const [, clusterId = ""] = this.#name().split(":");
    const context = await createContext(this.env);
    const { hostKey } = await readSecrets(this.env);
    const access = { hostKey, fetch: fetch.bind(globalThis), now, random };
    return localCluster(context, access, clusterId);
  }

  #name(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A lane is addressed by its name.");
    return name;
  }
}
