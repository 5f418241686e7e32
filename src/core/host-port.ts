// What verbs may ask of a host: the commands of the contract, derived from it by type. Tests put a
// host in memory here that can be told to fail at any call.
import type { HostCommandInput, HostCommandName, HostCommandReport } from "../contract/command.ts";

/** A host as an operator describes it, before anything of it is believed. */
export interface HostPlace {
  readonly hostUrl: string;
  readonly publicHost: string;
  readonly transactionPort: number;
  readonly sessionPort: number;
}

/** What a host proved to be. */
export type HostFacts = HostCommandReport<"status">;

/** The effects on hosts. Each may run twice with the same end; each throws when it failed. */
export interface HostPort {
  /**
   * Has a host carry out one command.
   * @throws HostRefusal with the host's own status, code and words
   * @throws Unreached when the host surely has not begun
   */
  command<Name extends HostCommandName>(
    hostId: string,
    name: Name,
    input: HostCommandInput<Name>,
  ): Promise<HostCommandReport<Name>>;
  /** Proves a host nobody has registered yet; throws naming the field that is wrong. */
  prove(hostId: string, place: HostPlace): Promise<HostFacts>;
  /** Throws, naming what is not ready, unless the host and both poolers answer. */
  checkReady(hostId: string): Promise<void>;
}
