/** Version of what a control plane and a host of instances say to each other; see ../protocol.ts. */
export const protocolVersion = 3;
