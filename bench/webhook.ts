// A change → the request a receiver gets, beside a bare fetch of the same Worker: the look-up of a
// name that the Worker makes when a webhook is created.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { callApi } from "./api.ts";
import { onEnd } from "./ending.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { size } from "./size.ts";
import { percentile, rateOf } from "./statistics.ts";

const warmRounds = size(50, 1);
const rounds = size(200, 2);
const pauseMilliseconds = 50;
const eventsPerMinute = 1000;
const loadEvents = size(1000, 10);
const backlog = size(1000, 10);
const concurrency = 8;
const patienceMilliseconds = 120_000;

/** A request that came in. */
interface Received {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

type Inbox = ReturnType<typeof createInbox>;

export const parts = { "at rest": 60, "under load": 65, backlog: 60 };

/** `npm run bench -- webhooks` */
export async function run({ part }: Progress): Promise<void> {
  const receiver = await startServer(204, "", (_, text) => JSON.parse(text).data.id);
  const resolver = await startServer(200, '{"Status":3}', ({ searchParams }) =>
    String(searchParams.get("name")),
  );
  process.env.MIOSA_RESOLVER_URL = resolver.url;
  const installation = await install(1500, { isAlone: true });
  const webhook = { url: receiver.url, events: ["project.created"] };
  const { id } = await callApi(installation, "POST", "/webhooks", webhook);
  await part("at rest", () => atRest(installation, receiver.inbox, resolver.inbox));
  await part("under load", () => underLoad(installation, receiver.inbox));
  await part("backlog", () => rate(installation, id, receiver.inbox));
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
  onEnd(close);
  return { url: `http://127.0.0.1:${port}/`, inbox };
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
  for (let n = 0; n < loadEvents; n++) {
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
  // Refused once the name turns out to have no address, and for nothing else.
  await callApi(installation, "POST", "/webhooks", body).then(
    () => Promise.reject(new Error(`${host} was taken as the host of a webhook.`)),
    (error: Error) => {
      if (!error.message.includes(": 422 ")) throw error;
    },
  );
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
