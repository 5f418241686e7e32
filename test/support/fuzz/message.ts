// Messages that a Postgres client or a WebSocket could send before it is let in, most of them
// wrong in one way or another.
import type { Random } from "./random.ts";

/** What is sent on one connection, a message after the other. */
export interface Talk {
  readonly door: "pooler" | "host";
  /** Waits for an answer after each message but the last. */
  readonly isDialogue: boolean;
  readonly messages: readonly Buffer[];
}

/** Whose login is tried. */
export interface Victim {
  readonly user: string;
  readonly database: string;
  /** A pooler's port, for the WebSocket's address. */
  readonly port: number;
}

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const text = (value: string) => Buffer.from(`${value}\0`, "latin1");
const oddLengths = [0, 1, 3, 4, 5, 7, 8, 9, 10_000, 10_001, 65_536, 0x7f_ff_ff_ff, 0xff_ff_ff_ff];
const versions = [0x30000, 0x30000, 0x30000, 0x30002, 0x30003, 0x3270f, 0x20000, 0x40000, 0, 1];
const options = [
  ...["-c=", "--=x", "--=", "-c", "-c x", "-c =x", "-c a=b", "-c search_path=a", "--a=b", "-"],
  ...["--", "-c a", "\\", "-c a\\", "-c a=\\ b", " ", "-c a=b -c", "-c a=b --=x", "-- -c a=b"],
  ...["-c statement_timeout=1", "-c a=b\t-c\n=", "-csearch_path=x", "-c 'a'=b", "-c a==", "=x"],
];
const names = [
  ...["options", "application_name", "client_encoding", "datestyle", "timezone", "replication"],
  ...[
    "search_path",
    "_pq_.a",
    "_pq_.",
    "extra_float_digits",
    "",
    "user",
    "database",
    "is_superuser",
  ],
];

/** A message in a frame whose length may be a lie. */
function framed(random: Random, body: Buffer): Buffer {
  const length = random.oneIn(12) ? random.pick(oddLengths) : body.length + 4;
  return Buffer.concat([int32(length), body]);
}

function damaged(random: Random, bytes: Buffer): Buffer {
  if (!random.oneIn(4)) return bytes;
  const copy = Buffer.from(bytes);
  for (let times = random.below(4); times >= 0; times--) {
    if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
  }
  return random.oneIn(4) ? copy.subarray(0, random.below(copy.length + 1)) : copy;
}

function value(random: Random): string {
  if (random.oneIn(3)) return random.pick(options);
  if (random.oneIn(20)) return "x".repeat(random.below(9000));
  return random.bytes(random.below(24)).toString("latin1").replaceAll("\0", "");
}

function startup(random: Random, { user, database }: Victim): Buffer {
  const isKnown = !random.oneIn(5);
  const parts = [
    ...[text("user"), text(isKnown ? user : value(random))],
    ...[text("database"), text(isKnown ? database : value(random))],
  ];
  for (let more = random.below(random.oneIn(30) ? 200 : 4); more > 0; more--) {
    parts.push(text(random.pick(names)), text(value(random)));
  }
  if (random.oneIn(2)) parts.push(text("options"), text(random.pick(options)));
  const end = random.oneIn(10) ? random.bytes(random.below(3)) : Buffer.of(0);
  const body = Buffer.concat([int32(random.pick(versions)), ...parts, end]);
  return damaged(random, framed(random, body));
}

function login({ user, database }: Victim): Buffer {
  const parts = [int32(0x30000), text("user"), text(user), text("database"), text(database)];
  const body = Buffer.concat([...parts, Buffer.of(0)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

const mechanisms = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "", "MD5", "x".repeat(300)];
const firsts = [
  ...["n,,n=,r=abcdefghijklmnop", "y,,n=,r=a", "p=tls-unique,,n=,r=a", "n,,n=,r=", "n,,", "", ","],
  ...["n,a=b,n=,r=a", "n,,m=x,n=,r=a", "n,,n=,r=a,x=y", "n,,n==2C,r=a", "n,,r=a,n=", "p=,,"],
];
const finals = [
  ...["c=biws,r=abc,p=AAAA", "c=,r=,p=", "c=biws", "p=AAAA", "", "c=biws,r=x,p=====", "c=biws,r=x"],
  ...["c=biws,r=x,m=1,p=AAAA", `c=${"A".repeat(4000)},r=x,p=AAAA`, "=,=,=", "c=eSws,r=x,p=!!!!"],
];

function sasl(random: Random, victim: Victim): Buffer[] {
  const first = Buffer.from(random.pick(firsts), "latin1");
  const length = random.oneIn(6) ? random.pick(oddLengths) : first.length;
  const initial = Buffer.concat([text(random.pick(mechanisms)), int32(length), first]);
  const final = Buffer.from(random.pick(finals), "latin1");
  const type = random.oneIn(8) ? random.bytes(1) : Buffer.from("p");
  return [
    login(victim),
    damaged(random, Buffer.concat([type, framed(random, initial)])),
    damaged(random, Buffer.concat([Buffer.from("p"), framed(random, final)])),
  ];
}

const codes = { cancel: 80_877_102, tls: 80_877_103, gss: 80_877_104 };
const request = (code: number) => Buffer.concat([int32(8), int32(code)]);

function cancel(random: Random): Buffer {
  const key = random.bytes(random.pick([0, 4, 8, 8, 8, 8, 12, 260, 300]));
  return damaged(random, framed(random, Buffer.concat([int32(codes.cancel), key])));
}

function negotiation(random: Random, victim: Victim): Buffer[] {
  const messages: Buffer[] = [];
  for (let times = 1 + random.below(4); times > 0; times--) {
    messages.push(damaged(random, request(random.pick([codes.tls, codes.gss]))));
  }
  // A hello that is none, or a login that was stuffed behind the request.
  const hello = Buffer.concat([Buffer.of(0x16, 3, 1, random.below(3), 40), random.bytes(40)]);
  messages.push(random.pick([hello, startup(random, victim), cancel(random), random.bytes(30)]));
  if (random.oneIn(3)) return [Buffer.concat(messages)];
  return messages;
}

function frame(random: Random, payload: Buffer): Buffer {
  const isMasked = !random.oneIn(10);
  const flags = (random.oneIn(6) ? 0 : 0x80) | (random.oneIn(12) ? random.below(8) << 4 : 0);
  const opcode = random.pick([0, 1, 2, 2, 2, 2, 3, 7, 8, 9, 10, 11, 15]);
  const long = random.below(12);
  const claimed = random.oneIn(10) ? random.pick(oddLengths) : payload.length;
  const mask = isMasked ? 0x80 : 0;
  const head =
    long === 0
      ? Buffer.concat([
          Buffer.of(flags | opcode, mask | 127),
          int32(random.below(3)),
          int32(claimed),
        ])
      : payload.length > 125 || long === 1
        ? Buffer.of(flags | opcode, mask | 126, (payload.length >> 8) & 255, payload.length & 255)
        : Buffer.of(flags | opcode, mask | payload.length);
  const key = isMasked ? random.bytes(4) : Buffer.alloc(0);
  const body = isMasked ? payload.map((byte, at) => byte ^ (key[at % 4] ?? 0)) : payload;
  return Buffer.concat([head, key, body]);
}

function webSocket(random: Random, victim: Victim): Buffer[] {
  const version = random.oneIn(20) ? String(random.below(20)) : "13";
  const head = [
    `GET /v2?address=x:${random.oneIn(15) ? random.below(70_000) : victim.port} HTTP/1.1`,
    ...["Host: x", "Upgrade: websocket", "Connection: Upgrade"],
    `Sec-WebSocket-Key: ${random.oneIn(15) ? "x" : "dGhlIHNhbXBsZSBub25jZQ=="}`,
    ...[`Sec-WebSocket-Version: ${version}`, "", ""],
  ];
  const frames = Array.from({ length: 1 + random.below(6) }, () =>
    frame(random, random.oneIn(2) ? startup(random, victim) : random.bytes(random.below(300))),
  );
  return [damaged(createCalm(random), Buffer.from(head.join("\r\n"))), ...frames];
}

/** The same choices, with damage to a head seldom: else no frame would ever be read. */
function createCalm(random: Random): Random {
  return { ...random, oneIn: (times) => random.oneIn(times * 5) };
}

/** One connection's worth of what a stranger could send. */
export function makeTalk(random: Random, victim: Victim): Talk {
  const kind = random.below(10);
  if (kind < 3) {
    const messages = [startup(random, victim)];
    return { door: "pooler", isDialogue: false, messages };
  }
  if (kind < 5) return { door: "pooler", isDialogue: true, messages: sasl(random, victim) };
  if (kind < 6) return { door: "pooler", isDialogue: false, messages: [cancel(random)] };
  if (kind < 8) {
    const messages = negotiation(random, victim);
    return { door: "pooler", isDialogue: random.oneIn(2), messages };
  }
  return { door: "host", isDialogue: random.oneIn(2), messages: webSocket(random, victim) };
}

/** As many connections and messages as a talk has, all as they should be. */
export function makeOrderly(talk: Talk, victim: Victim): Talk {
  const [first = login(victim), ...more] = talk.messages.map(() => login(victim));
  if (talk.door === "host") {
    const head = [
      `GET /v2?address=x:${victim.port} HTTP/1.1`,
      ...["Host: x", "Upgrade: websocket", "Connection: Upgrade"],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""],
    ];
    const mask = [1, 2, 3, 4];
    const masked = first.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
    const whole = Buffer.concat([Buffer.of(0x82, 0x80 | first.length, ...mask), masked]);
    const ping = Buffer.of(0x89, 0x80, ...mask);
    const messages = [Buffer.from(head.join("\r\n")), whole, ...more.slice(1).map(() => ping)];
    return { ...talk, messages: messages.slice(0, talk.messages.length) };
  }
  if (talk.messages.length === 1) return { ...talk, messages: [first] };
  const requests = talk.messages.slice(1).map(() => request(codes.gss));
  return { ...talk, isDialogue: true, messages: [...requests, first] };
}
