/** Version of what is said between a control plane and a host of instances: see ../protocol.ts. */
export const protocolVersion = 3;
