// An object store that speaks S3 over TLS, in a process of its own:
//
//   node test/support/s3-server.ts DIRECTORY
//
// DIRECTORY/server.json says what it is to be (S3ServerSettings), server.crt and server.key are
// its certificate, bucket/ its objects. One bucket, by path and by virtual host. The control port
// takes POST /<fault>: `none`; `refuse` resets every connection, `hang` answers nothing, `forbid`
// answers 403 and `fail` 500 to all, `corrupt` changes a byte of every object it gives. It answers
// how often it has misbehaved since then, to GET as well.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { refusalOf, type S3Login } from "./s3-signature.ts";
import { etagOf, openS3Store, type S3Page, type S3Store } from "./s3-store.ts";

/** What a server is to be. */
export interface S3ServerSettings extends S3Login {
  readonly bucket: string;
  readonly port: number;
  readonly controlPort: number;
}

/** How a server misbehaves. */
export type S3Fault = "none" | "refuse" | "hang" | "forbid" | "fail" | "corrupt";

const [directory = ""] = process.argv.slice(2);
const settings: S3ServerSettings = JSON.parse(readFileSync(join(directory, "server.json"), "utf8"));
const pageMax = 1000;
let fault: S3Fault = "none";
let faults = 0;

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const unescaped = (text: string) => text.replaceAll("&lt;", "<").replaceAll("&amp;", "&");
const tag = (name: string, content: string) => `<${name}>${content}</${name}>`;

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly key: string;
  readonly body: Buffer;
}

function answer(response: ServerResponse, status: number, document = ""): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(document === "" ? "" : `<?xml version="1.0" encoding="UTF-8"?>${document}`);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  answer(response, status, tag("Error", tag("Code", code) + tag("Message", code)));
}

/** The key of a request to the bucket; undefined for another bucket. */
function keyOf(request: IncomingMessage): string | undefined {
  const path = decodeURIComponent((request.url ?? "").split("?")[0] ?? "");
  if (request.headers.host?.startsWith(`${settings.bucket}.`)) return path.slice(1);
  const head = `/${settings.bucket}`;
  if (path !== head && !path.startsWith(`${head}/`)) return undefined;
  return path.slice(head.length + 1);
}

function renderPage({ entries, prefixes, next }: S3Page): string {
  const contents = entries.map(({ key, bytes, at }) => {
    const facts = tag("LastModified", at.toISOString()) + tag("Size", String(bytes));
    return tag("Contents", tag("Key", escaped(key)) + facts);
  });
  const common = prefixes.map((prefix) => tag("CommonPrefixes", tag("Prefix", escaped(prefix))));
  const more = next === undefined ? "" : tag("NextContinuationToken", escaped(next));
  const head = tag("IsTruncated", String(next !== undefined)) + more;
  return tag("ListBucketResult", head + contents.join("") + common.join(""));
}

function list(store: S3Store, { response, query }: Asked) {
  const text = (name: string) => query.get(name) ?? "";
  const max = Math.min(Number(query.get("max-keys") ?? pageMax), pageMax);
  const page = store.list(text("prefix"), text("delimiter"), text("continuation-token"), max);
  answer(response, 200, renderPage(page));
}

function get(store: S3Store, { request, response, key }: Asked) {
  const size = store.sizeOf(key);
  if (size === undefined) return refuse(response, 404, "NoSuchKey");
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size;
  const wanted = store.read(key, Number(range?.[1] ?? 0), end);
  const middle = Math.floor(wanted.length / 2);
  if (fault === "corrupt") {
    wanted[middle] = (wanted[middle] ?? 0) ^ 1;
    faults += 1;
  }
  const meta = store.metaOf(key);
  if (meta !== "") response.setHeader("x-amz-meta-sha256", meta);
  response.writeHead(range === null ? 200 : 206, {
    "content-length": wanted.length,
    "last-modified": new Date().toUTCString(),
  });
  response.end(request.method === "HEAD" ? "" : wanted);
}

function put(store: S3Store, { request, response, query, key, body }: Asked) {
  const upload = query.get("uploadId");
  if (upload === null) store.put(key, body, String(request.headers["x-amz-meta-sha256"] ?? ""));
  else store.putPart(upload, Number(query.get("partNumber")), body);
  response.setHeader("etag", etagOf(body));
  answer(response, 200);
}

function post(store: S3Store, { response, query, key, body }: Asked) {
  const upload = query.get("uploadId");
  if (query.has("delete")) {
    for (const [, name = ""] of body.toString().matchAll(/<Key>(.*?)<\/Key>/g)) {
      store.remove(unescaped(name));
    }
    return answer(response, 200, tag("DeleteResult", ""));
  }
  if (upload === null) {
    const started = tag("UploadId", store.startUpload());
    return answer(response, 200, tag("InitiateMultipartUploadResult", started));
  }
  store.finishUpload(upload, key);
  answer(response, 200, tag("CompleteMultipartUploadResult", tag("ETag", "whole")));
}

function remove(store: S3Store, { response, key }: Asked) {
  store.remove(key);
  answer(response, 204);
}

const verbs = { GET: get, HEAD: get, PUT: put, POST: post, DELETE: remove };

async function serve(store: S3Store, request: IncomingMessage, response: ServerResponse) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (fault === "hang" || fault === "forbid" || fault === "fail") faults += 1;
  if (fault === "hang") return;
  if (fault === "forbid") return refuse(response, 403, "AccessDenied");
  if (fault === "fail") return refuse(response, 500, "InternalError");
  const refusal = refusalOf(request, body, settings);
  if (refusal !== undefined) return refuse(response, 403, refusal);
  const key = keyOf(request);
  const verb = verbs[request.method as keyof typeof verbs];
  if (key === undefined) return refuse(response, 404, "NoSuchBucket");
  if (verb === undefined) return refuse(response, 405, "MethodNotAllowed");
  const query = new URLSearchParams((request.url ?? "").split("?")[1]);
  const asked = { request, response, query, key, body };
  if (request.method === "GET" && key === "") return list(store, asked);
  verb(store, asked);
}

const certificate = {
  cert: readFileSync(join(directory, "server.crt")),
  key: readFileSync(join(directory, "server.key")),
};
const store = openS3Store(join(directory, "bucket"));
const server = createTlsServer(certificate, (request, response) => {
  serve(store, request, response).catch(() => response.destroy());
});
server.on("connection", (socket: Socket) => {
  if (fault !== "refuse") return;
  faults += 1;
  socket.resetAndDestroy();
});
server.listen(settings.port, "127.0.0.1");
createServer((request, response) => {
  if (request.method === "POST") {
    fault = (request.url ?? "").slice(1) as S3Fault;
    faults = 0;
    server.closeAllConnections();
  }
  response.end(String(faults));
}).listen(settings.controlPort, "127.0.0.1");
