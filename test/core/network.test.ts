import { expect, it } from "vitest";
import { isWithin, Network, neighborhoodOf } from "../../src/core/network.ts";

it.each([
  ["10.1.2.3", "10.0.0.0/8"],
  ["10.1.2.3", "10.1.2.3"],
  ["10.1.2.3", "10.9.9.9/8"],
  ["192.0.2.0/25", "192.0.2.0/24"],
  ["255.255.255.255", "0.0.0.0/0"],
  ["::ffff:10.1.2.3", "10.0.0.0/8"],
  ["::ffff:a01:203", "10.0.0.0/8"],
  ["10.1.2.3", "::ffff:0:0/96"],
  ["2001:db8::1", "2001:db8::/32"],
  ["2001:DB8:0:0::1", "2001:db8::/64"],
  ["::1", "::1"],
  ["fe80::1", "::/0"],
])("finds %s within %s", (inner, outer) => {
  expect(isWithin(inner, outer)).toBe(true);
});

it.each([
  ["11.0.0.0", "10.0.0.0/8"],
  ["10.1.2.4", "10.1.2.3"],
  ["192.0.2.0/23", "192.0.2.0/24"],
  ["192.0.3.0", "192.0.2.0/24"],
  ["::a01:203", "10.0.0.0/8"],
  ["2001:db9::1", "2001:db8::/32"],
  ["2001:db8:0:1::1", "2001:db8::/64"],
  ["::/0", "0.0.0.0/0"],
  ["1", "0.0.0.0/0"],
  ["010.1.2.3", "10.0.0.0/8"],
  ["10.1.2.3, 10.0.0.1", "10.0.0.0/8"],
  ["", "::/0"],
  ["fe80::1%eth0", "::/0"],
])("does not find %s within %s", (inner, outer) => {
  expect(isWithin(inner, outer)).toBe(false);
});

it("reads an address as a network of one, and refuses what is neither", () => {
  expect(Network.parse(" 10.0.0.1 ")).toBe("10.0.0.1/32");
  expect(Network.parse("::1")).toBe("::1/128");
  for (const text of ["10.0.0.1/33", "10.0.0", "example.com", "::1/129", "1.2.3.4/", "*"]) {
    expect([text, Network.safeParse(text).success]).toEqual([text, false]);
  }
});

it("counts IPv6 by the network a site is given, and IPv4 by the address", () => {
  expect(neighborhoodOf("2001:db8::1")).toBe(neighborhoodOf("2001:db8:0:0:ffff::2"));
  expect(neighborhoodOf("2001:db8::1")).not.toBe(neighborhoodOf("2001:db8:0:1::1"));
  expect(neighborhoodOf("192.0.2.1")).not.toBe(neighborhoodOf("192.0.2.2"));
});
