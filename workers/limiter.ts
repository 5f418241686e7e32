// The Durable Object that counts what one API key, or one address, may do. It stores nothing: the
// bucket lives in memory until it is full, and what is lost with it lasts a minute at most.
import { DurableObject } from "cloudflare:workers";
import { type Bucket, type Lease, takeFrom, type Wish } from "../src/account/allowance.ts";
import { type Env, now } from "./context.ts";

export class Limiter extends DurableObject<Env> {
  #bucket: Bucket | null = null;
  #timer: number | null = null;

  /** Some tokens out of the bucket. */
  take(wish: Wish): Lease {
    const at = now().getTime();
    const { bucket, lease } = takeFrom(this.#bucket, wish, at);
    this.#bucket = bucket;
    this.#stay(lease.fullAt - at);
    return lease;
  }

  // An object with nothing pending is put out of memory within seconds.
  #stay(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#bucket = null;
    }, milliseconds);
  }
}
