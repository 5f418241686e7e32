import type { ClusterPort } from "../core/cluster-port.ts";

/** The same effects for one cluster, known to whoever has them. */
export type LocalClusterPort = {
  [Name in keyof ClusterPort]: ClusterPort[Name] extends (
    clusterId: string,
    ...rest: infer Rest
  ) => infer Done
    ? (...rest: Rest) => Done
    : never;
};

/** One effect on a cluster as a message to the object that holds its connections. */
export type ClusterCall = {
  [Name in keyof ClusterPort]: {
    readonly name: Name;
    readonly input: Parameters<LocalClusterPort[Name]>;
  };
}[keyof ClusterPort];

/** How an effect ended; errors cross as words, since classes do not survive the way. */
export type ClusterReply =
  | { readonly error: string }
  | { readonly error: null; readonly value: number | null };

/** The port that hands every effect to `send`. */
export function clusterPort(
  send: (clusterId: string, call: ClusterCall) => Promise<ClusterReply>,
): ClusterPort {
  const perform = async (clusterId: string, call: ClusterCall) => {
    const reply = await send(clusterId, call);
    if (reply.error !== null) throw new Error(`${call.name}: ${reply.error}`);
    return reply.value;
  };
  const effect = async (clusterId: string, call: ClusterCall) => {
    await perform(clusterId, call);
  };
  return {
    createDatabase: (clusterId, ...input) => effect(clusterId, { name: "createDatabase", input }),
    dropDatabase: (clusterId, ...input) => effect(clusterId, { name: "dropDatabase", input }),
    createLogin: (clusterId, ...input) => effect(clusterId, { name: "createLogin", input }),
    dropLogin: (clusterId, ...input) => effect(clusterId, { name: "dropLogin", input }),
    measure: async (clusterId, ...input) =>
      Number(await perform(clusterId, { name: "measure", input })),
    setPools: (clusterId, ...input) => effect(clusterId, { name: "setPools", input }),
    checkReady: (clusterId, ...input) => effect(clusterId, { name: "checkReady", input }),
    probe: (clusterId, ...input) => effect(clusterId, { name: "probe", input }),
  };
}
