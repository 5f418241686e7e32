/** The way out to the internet, to addresses that customers name. */
export interface OutboundPort {
  /** Sends a request as it is; throws when nothing readable came back. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** URL of a resolver that answers DNS over HTTPS in JSON. */
  readonly resolverUrl: string;
  /**
   * Null wherever customers are. In development: receivers at http://127.0.0.1 are allowed, but
   * for these ports, which are the system's own.
   */
  readonly loopback: { readonly closedPorts: ReadonlySet<number> } | null;
}
