import { describe, expect, it } from "vitest";
import { isPublic, readAddress } from "../../src/webhook/address.ts";

const loopback = { closedPorts: new Set([8787, 20_001]) };
const settings = [
  ["without the development setting", null],
  ["with the development setting", loopback],
] as const;

const hostile = [
  // Other schemes, and none.
  "http://hooks.example.com/",
  "HTTP://hooks.example.com/",
  "ftp://hooks.example.com/",
  "file:///etc/passwd",
  "gopher://hooks.example.com/_x",
  "data:text/plain,x",
  "javascript:alert(1)",
  "ws://hooks.example.com/",
  "//hooks.example.com/",
  "hooks.example.com",
  "https:hooks.example.com",
  "https:/hooks.example.com/",
  "https:///hooks.example.com/",
  "https://",
  "",
  // Addresses in every spelling.
  "https://127.0.0.1/",
  "https://127.0.0.1:443/",
  "https://127.1/",
  "https://127.0.1/",
  "https://2130706433/",
  "https://017700000001/",
  "https://0x7f000001/",
  "https://0x7f.0.0.1/",
  "https://0x7f.1/",
  "https://0177.0.0.1/",
  "https://0177.0.0.0x1/",
  "https://127.0.0.1./",
  "https://00000127.0.0.1/",
  "https://0/",
  "https://0.0.0.0/",
  "https://8.8.8.8/",
  "https://134744072/",
  "https://10.0.0.1/",
  "https://172.16.0.1/",
  "https://192.168.1.1/",
  "https://100.64.0.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://2852039166/",
  "https://0xa9fea9fe/",
  "https://0251.0376.0251.0376/",
  "https://169.254.43518/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "https://168.63.129.16/",
  "https://[::1]/",
  "https://[::]/",
  "https://[0:0:0:0:0:0:0:1]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:7f00:1]/",
  "https://[::127.0.0.1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://[fe80::1]/",
  "https://[fe80::1%25eth0]/",
  "https://[fc00::1]/",
  "https://[fd00:ec2::254]/",
  "https://[2002:7f00:1::]/",
  "https://[2606:4700::1111]/",
  "https://１２７.0.0.1/",
  "https://①②⑦.⓪.⓪.①/",
  "https://127。0。0。1/",
  "https://127%2e0%2e0%2e1/",
  "https://%31%32%37.0.0.1/",
  "https://1.2.3.0x4/",
  // Names of this machine and of networks.
  "https://localhost/",
  "https://LOCALHOST/",
  "https://localhost./",
  "https://localhost.localdomain/",
  "https://foo.localhost/",
  "https://ⓛocalhost/",
  "https://l%6fcalhost/",
  "https://ip6-localhost/",
  "https://metadata/",
  "https://metadata.google.internal/computeMetadata/v1/",
  "https://METADATA.GOOGLE.INTERNAL/",
  "https://instance-data.ec2.internal/",
  "https://metadata.packet.net/",
  "https://kubernetes.default.svc.host.local/",
  "https://printer.local/",
  "https://router.lan/",
  "https://nas.home.arpa/",
  "https://wiki.corp/",
  "https://wiki.intranet/",
  "https://hooks.test/",
  "https://hooks.onion/",
  "https://hooks/",
  "https://hooks.example.com./",
  "https://hooks..example.com/",
  "https://.example.com/",
  "https://-hooks.example.com/",
  `https://${"a".repeat(64)}.example.com/`,
  "https://hooks_1.example.com/",
  "https://höoks.example.com/",
  // Credentials, and what hides a host.
  "https://user@hooks.example.com/",
  "https://user:password@hooks.example.com/",
  "https://hooks.example.com@127.0.0.1/",
  "https://127.0.0.1@hooks.example.com/",
  "https://hooks.example.com:443@127.0.0.1/",
  "https://@hooks.example.com/",
  "https://hooks.example.com\\@127.0.0.1/",
  "https:\\\\127.0.0.1/",
  "https://127.0.0.1\\.hooks.example.com/",
  "https://hooks.example.com#@127.0.0.1/",
  "https://127.0.0.1#.hooks.example.com/",
  "https://hooks.example.com/#fragment",
  "https://hooks.example.com /",
  " https://hooks.example.com/",
  "https://hooks.example.com/\r\nHost: 127.0.0.1",
  "https://hooks.exam\tple.com/",
  "https://hooks.example.com/\u0000",
  "https://hooks.example.com/a b",
  "https://hooks.exa\u00admple.com/",
  // Ports.
  "https://hooks.example.com:22/",
  "https://hooks.example.com:25/",
  "https://hooks.example.com:80/",
  "https://hooks.example.com:5432/",
  "https://hooks.example.com:6379/",
  "https://hooks.example.com:0/",
  "https://hooks.example.com:00443/",
  "https://hooks.example.com:65979/",
  "https://hooks.example.com:-1/",
  "https://hooks.example.com:443:443/",
  "https://hooks.example.com:/",
  `https://hooks.example.com/${"a".repeat(2048)}`,
  // What stays shut beside the one receiver that the setting lets in.
  "http://localhost:9000/",
  "http://127.1:9000/",
  "http://127.0.0.2:9000/",
  "http://2130706433:9000/",
  "http://0x7f000001:9000/",
  "http://[::1]:9000/",
  "http://0.0.0.0:9000/",
  "http://127.0.0.1/",
  "http://127.0.0.1:80/",
  "http://127.0.0.1:1023/",
  "http://127.0.0.1:65536/",
  "http://127.0.0.1:09000/",
  "http://127.0.0.1:8787/",
  "http://127.0.0.1:20001/",
  "http://127.0.0.1:9000@hooks.example.com/",
  "http://user@127.0.0.1:9000/",
  "http://127.0.0.1.:9000/",
  "http://127.0.0.1:9000#@hooks.example.com/",
  "http://127.0.0.1:9000\\@hooks.example.com/",
  "http://169.254.169.254:9000/",
  "http://10.0.0.1:9000/",
  "https://127.0.0.1:9000/",
];

it("the list of hostile URLs has no two alike", () => {
  expect(new Set(hostile).size).toBe(hostile.length);
  expect(hostile.length).toBeGreaterThan(80);
});

describe.each(settings)("%s", (_, setting) => {
  it.each(hostile)("%j is refused with a remedy", (url) => {
    expect(readAddress(url, setting).problem).toMatch(/^must /);
  });

  it.each([
    "https://hooks.example.com",
    "https://hooks.example.com/a/b?c=d&e=%20",
    "https://HOOKS.Example.COM:443/",
    "https://hooks.example.com:8443/x",
    "https://xn--hoks-5qa.example.com/",
    "https://127.0.0.1.nip.io/",
    "https://1.example.com/?u=https://127.0.0.1",
  ])("%s is one to look up", (url) => {
    const address = readAddress(url, setting);
    expect(address).toMatchObject({ problem: null, hostname: new URL(url).hostname });
  });
});

it.each(["http://127.0.0.1:9000", "http://127.0.0.1:1024/hooks?a=b", "http://127.0.0.1:65535/"])(
  "%s is open with the development setting alone",
  (url) => {
    expect(readAddress(url, loopback)).toMatchObject({ problem: null, hostname: null });
    expect(readAddress(url, null).problem).toMatch(/https/);
  },
);

it.each([
  ...["0.0.0.0", "10.255.255.255", "100.127.255.255", "127.0.0.1", "169.254.169.254"],
  ...["172.31.255.255", "192.0.0.1", "192.168.0.1", "198.19.255.255", "203.0.113.9"],
  ...["224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "1.2.3", "1.2.3.4.5"],
  ...["01.2.3.4", "256.1.1.1", "", "::", "::1", "::ffff:8.8.8.8", "::ffff:808:808"],
  ...["fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::808:808", "2001::1"],
  ...["2001:db8::1", "2002:808:808::1", "3fff::1", "2606:4700", "2606::4700::1", "2606:47000::"],
])("%j is no public address", (address) => {
  expect(isPublic(address)).toBe(false);
});

it.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00::1"])(
  "%s is a public address",
  (address) => {
    expect(isPublic(address)).toBe(true);
  },
);
