// A change → the request a receiver gets, beside a bare fetch of the same Worker: the look-up of a
// name that the Worker makes when a webhook is created.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { callApi } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import { line, machine, ms, table } from "./report.ts";
import { percentile, rateOf } from "./statistics.ts";

const warmRounds = 50;
const rounds = 200;
const pauseMilliseconds = 50;
const eventsPerMinute = 1000;
const backlog = 1000;
const concurrency = 8;
const patienceMilliseconds = 120_000;

/** A request that came in. */
interface Received {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

type Inbox = ReturnType<typeof createInbox>;

/** `npm run bench -- webhooks` */
export async function run(): Promise<void> {
  line(`Machine: ${machine()}\n`);
  const receiver = await startServer(204, "", (_, text) => JSON.parse(text).data.id);
  const resolver = await startServer(200, '{"Status":3}', ({ searchParams }) =>
    String(searchParams.get("name")),
  );
  process.env.MIOSA_RESOLVER_URL = resolver.url;
  const installation = await install();
  try {
    const webhook = { url: receiver.url, events: ["project.created"] };
    const { id } = await callApi(installation, "POST", "/webhooks", webhook);
    await atRest(installation, receiver.inbox, resolver.inbox);
    await underLoad(installation, receiver.inbox);
    await rate(installation, id, receiver.inbox);
  } finally {
    await installation.stop();
    receiver.close();
    resolver.close();
  }
}

// Requests by what they are about, for whoever asks before or after they came.
function createInbox() {
  const arrived = new Map<string, Received>();
  const waiting = new Map<string, (received: Received) => void>();
  return {
    arrived,
    put: (key: string, received: Received) => {
      if (arrived.has(key)) return;
      arrived.set(key, received);
      waiting.get(key)?.(received);
    },
    take: async (key: string): Promise<Received> =>
      arrived.get(key) ?? (await new Promise((resolve) => waiting.set(key, resolve))),
  };
}

async function startServer(
  status: number,
  answer: string,
  keyOf: (url: URL, text: string) => string,
) {
  const inbox = createInbox();
  const server = createServer(async (request, response) => {
    const at = Date.now();
    const text = (await request.toArray()).map(String).join("");
    inbox.put(keyOf(new URL(request.url ?? "", "http://127.0.0.1"), text), { text, at });
    response.writeHead(status, { "content-type": "application/json" }).end(answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/`, inbox, close };
}

async function atRest(
  installation: Installation,
  delivered: Inbox,
  lookedUp: Inbox,
): Promise<void> {
  const ours: Delay[] = [];
  const bare: number[] = [];
  for (let round = 0; round < warmRounds; round++) {
    await delayOf(installation, `Warm ${round}`, delivered);
  }
  for (let round = 0; round < rounds; round++) {
    ours.push(await delayOf(installation, `Rest ${round}`, delivered));
    await delay(pauseMilliseconds);
    bare.push(await bareDelay(installation, `w${round}.example.com`, lookedUp));
    await delay(pauseMilliseconds);
  }
  line(`At rest, ${rounds} rounds (ms)`);
  report(ours, bare);
}

async function underLoad(installation: Installation, delivered: Inbox): Promise<void> {
  const running: Promise<Delay>[] = [];
  const startedAt = Date.now();
  for (let n = 0; n < eventsPerMinute; n++) {
    const dueAt = startedAt + (n * 60_000) / eventsPerMinute;
    await delay(Math.max(0, dueAt - Date.now()));
    running.push(delayOf(installation, `Load ${n}`, delivered));
  }
  line(`With ${eventsPerMinute} events a minute, each of them measured (ms)`);
  report(await Promise.all(running), []);
}

/** Milliseconds from the call, and from the moment the event bears, to the request. */
interface Delay {
  readonly sinceCall: number;
  readonly sinceChange: number;
}

async function delayOf(installation: Installation, name: string, delivered: Inbox): Promise<Delay> {
  const startedAt = Date.now();
  const { id } = await callApi(installation, "POST", "/projects", { name });
  const { text, at } = await delivered.take(id);
  const { occurred_at } = JSON.parse(text);
  return { sinceCall: at - startedAt, sinceChange: at - Date.parse(occurred_at) };
}

async function bareDelay(
  installation: Installation,
  host: string,
  lookedUp: Inbox,
): Promise<number> {
  const startedAt = Date.now();
  const body = { url: `https://${host}/` };
  // Refused once the name turns out to have no address.
  await callApi(installation, "POST", "/webhooks", body).catch(() => undefined);
  const { at } = await lookedUp.take(host);
  return at - startedAt;
}

function report(ours: readonly Delay[], bare: readonly number[]): void {
  const row = (name: string, values: readonly number[]) => [
    name,
    ...[50, 95, 99].map((p) => ms(percentile(values, p))),
  ];
  table(
    ["", "p50", "p95", "p99"],
    [
      row(
        "change recorded → request received",
        ours.map(({ sinceChange }) => sinceChange),
      ),
      row(
        "API call → request received",
        ours.map(({ sinceCall }) => sinceCall),
      ),
      ...(bare.length === 0 ? [] : [row("API call → bare fetch received", bare)]),
    ],
  );
}

async function rate(installation: Installation, id: string, delivered: Inbox): Promise<void> {
  await callApi(installation, "POST", `/webhooks/${id}/pause`);
  await rateOf(backlog, concurrency, (n) =>
    callApi(installation, "POST", "/projects", { name: `Backlog ${n}` }),
  );
  const known = delivered.arrived.size;
  const startedAt = Date.now();
  await callApi(installation, "POST", `/webhooks/${id}/resume`);
  const until = startedAt + patienceMilliseconds;
  const count = () => delivered.arrived.size - known;
  while (count() < backlog && Date.now() < until) await delay(5);
  const perSecond = (count() / (Date.now() - startedAt)) * 1000;
  line(`A backlog of ${count()} to one endpoint: ${perSecond.toFixed(0)} events a second`);
}
