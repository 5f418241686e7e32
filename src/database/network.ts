// Networks a caller names: an address alone is a network of one.
import { z } from "zod";

const Address = z.union([
  z.ipv4().transform((address) => `${address}/32`),
  z.ipv6().transform((address) => `${address}/128`),
  z.cidrv4(),
  z.cidrv6(),
]);

const problem = "must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24";

/** A network in CIDR, also from an address without a prefix. */
export const Network = z.string(problem).transform((text, check) => {
  const parsed = Address.safeParse(text.trim());
  if (parsed.success) return parsed.data;
  check.addIssue({ code: "custom", message: problem });
  return z.NEVER;
});
