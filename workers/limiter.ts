// The Durable Object that counts what one API key, or one address, may do. It stores nothing: the
// count lives in memory for as long as its window, and what is lost with it lasts a minute at most.
import { DurableObject } from "cloudflare:workers";
import { type Lease, takeFrom, type Window, type Wish } from "../src/account/allowance.ts";
import { type Env, now } from "./context.ts";

export class Limiter extends DurableObject<Env> {
  #window: Window | null = null;
  #timer: number | null = null;

  /** Some requests out of the window. */
  take(wish: Wish): Lease {
    const at = now().getTime();
    const { window, lease } = takeFrom(this.#window, wish, at);
    if (window.endsAt !== this.#window?.endsAt) this.#stay(window.endsAt - at);
    this.#window = window;
    return lease;
  }

  // An object with nothing pending is put out of memory within seconds.
  #stay(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#window = null;
    }, milliseconds);
  }
}
