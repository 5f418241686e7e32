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
export type ClusterReply = { readonly error: string | null };

/** The port that hands every effect to `send`. */
export function clusterPort(
  send: (clusterId: string, call: ClusterCall) => Promise<ClusterReply>,
): ClusterPort {
  const perform = async (clusterId: string, call: ClusterCall) => {
    const { error } = await send(clusterId, call);
    if (error !== null) throw new Error(`${call.name}: ${error}`);
  };
  return {
    createDatabase: (clusterId, ...input) => perform(clusterId, { name: "createDatabase", input }),
    dropDatabase: (clusterId, ...input) => perform(clusterId, { name: "dropDatabase", input }),
    setPools: (clusterId, ...input) => perform(clusterId, { name: "setPools", input }),
    checkReady: (clusterId, ...input) => perform(clusterId, { name: "checkReady", input }),
    probe: (clusterId, ...input) => perform(clusterId, { name: "probe", input }),
  };
}
