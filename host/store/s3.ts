// An S3-compatible store. aws4fetch signs requests; Node sends them, as it can stream a file, trust
// a certificate of one's own, and reach another address than the name says.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AwsV4Signer } from "aws4fetch";
import { StoreRefusal } from "./problem.ts";
import { element, elements, textOf } from "./s3-document.ts";

/** Where the store is, and who we are there. */
export interface S3Settings {
  readonly endpoint: string;
  /** Where the endpoint is reached, when its name is not known here. */
  readonly address?: string | undefined;
  readonly port: number;
  readonly bucket: string;
  readonly region: string;
  readonly uri_style: "host" | "path";
  readonly key: string;
  readonly key_secret: string;
  /** Begins with a slash. */
  readonly prefix: string;
  readonly ca_file?: string | undefined;
}

/** What is stored as one object; opened again when it has to be sent again. */
export interface Content {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly open: () => Buffer | Readable;
}

/** An object in a listing. */
export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** An object that is being read. */
export interface ObjectStream {
  readonly bytes: number;
  /** As it was stored; null when the store does not tell. */
  readonly sha256: string | null;
  readonly stream: IncomingMessage;
}

/** What is asked of a store; keys are within the prefix, made of `A-Za-z0-9._%/-`. */
export interface S3 {
  put(key: string, content: Content): Promise<void>;
  /** Undefined when there is none; the stream has to be read to its end, or destroyed. */
  get(key: string): Promise<ObjectStream | undefined>;
  list(prefix: string): AsyncGenerator<StoredObject>;
  /** The names right below a prefix, which ends with a slash. */
  folders(prefix: string): Promise<readonly string[]>;
  /** None of a name is as good. */
  remove(keys: readonly string[]): Promise<void>;
  close(): void;
}

/** Of silence. */
const answerMilliseconds = 10_000;
const connectionsMax = 32;
const removedAtOnce = 500;

/** A content that is in memory. */
export function contentOf(content: Buffer): Content {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { bytes: content.length, sha256, open: () => content };
}

const nothing = contentOf(Buffer.alloc(0));

/** As signatures want it: more is escaped than encodeURIComponent does. */
function escaped(text: string): string {
  const code = (character: string) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, code);
}

interface Asked {
  readonly method: "GET" | "PUT" | "POST";
  /** Absent: the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Content;
}

/** Sends one request; resolves with the head of the answer. */
function send(
  options: RequestOptions,
  content: Content,
  isClosed: () => boolean,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options, resolve);
    request.setTimeout(answerMilliseconds, () => {
      request.destroy(new Error(`The store did not answer for ${answerMilliseconds / 1000} s.`));
    });
    request.once("error", (error: NodeJS.ErrnoException) => {
      // A connection that was kept had been closed by the store: the request never reached it.
      const wasClosed = request.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "");
      if (wasClosed && !isClosed()) resolve(send({ ...options, agent: false }, content, isClosed));
      else reject(error);
    });
    const body = content.open();
    if (Buffer.isBuffer(body)) request.end(body);
    else pipeline(body, request).catch(reject);
  });
}

/** Signs and sends. @throws StoreRefusal unless the store does it, or has no such object */
function createAsk(settings: S3Settings) {
  const { endpoint, address, port, bucket, region, uri_style } = settings;
  const ca = settings.ca_file === undefined ? {} : { ca: readFileSync(settings.ca_file) };
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax, ...ca });
  const login = { accessKeyId: settings.key, secretAccessKey: settings.key_secret, region };
  const name = uri_style === "host" ? `${bucket}.${endpoint}` : endpoint;
  const root = `https://${name}:${port}${uri_style === "host" ? "" : `/${bucket}`}`;
  const cache = new Map<string, ArrayBuffer>();
  let isClosed = false;

  async function ask(asked: Asked): Promise<IncomingMessage> {
    const { method, key, query = {}, headers = {}, content = nothing } = asked;
    const path = key === undefined ? "" : `${settings.prefix}/${key}`;
    const search = Object.entries(query).map((pair) => pair.map(escaped).join("="));
    const url = `${root}${path.split("/").map(escaped).join("/")}?${search.join("&")}`;
    const signed = await new AwsV4Signer({
      ...{ ...login, method, url, service: "s3", cache },
      headers: { ...headers, "x-amz-content-sha256": content.sha256 },
    }).sign();
    const options: RequestOptions = {
      ...{ agent, ...ca, method, port, host: address ?? name },
      path: signed.url.pathname + signed.url.search,
      servername: isIP(name) === 0 ? name : "",
      headers: {
        ...Object.fromEntries(signed.headers),
        host: signed.url.host,
        "content-length": content.bytes,
      },
    };
    if (isClosed) throw new Error("The store was closed.");
    const response = await send(options, content, () => isClosed);
    const status = response.statusCode ?? 0;
    if (status < 300) return response;
    const code = element(await textOf(response), "Code") ?? "an answer without a code";
    throw new StoreRefusal(status, code, `${method} ${path || "the bucket"}`);
  }

  return {
    ask,
    close: () => {
      isClosed = true;
      agent.destroy();
    },
  };
}

interface Page {
  readonly objects: readonly StoredObject[];
  readonly folders: readonly string[];
}

type Ask = (asked: Asked) => Promise<IncomingMessage>;

/** Makes what lists what is below a prefix of the root's, page by page. */
function createPages(ask: Ask, root: string) {
  return async function* pages(prefix: string, delimiter: string): AsyncGenerator<Page> {
    const fixed = { "list-type": "2", prefix: root + prefix, ...(delimiter && { delimiter }) };
    let token: string | undefined;
    do {
      const query = token === undefined ? fixed : { ...fixed, "continuation-token": token };
      const document = await textOf(await ask({ method: "GET", query }));
      const objects = elements(document, "Contents").map((one) => ({
        key: (element(one, "Key") ?? "").slice(root.length),
        bytes: Number(element(one, "Size")),
      }));
      const folders = elements(document, "CommonPrefixes").map((one) =>
        (element(one, "Prefix") ?? "").slice(root.length + prefix.length, -1),
      );
      yield { objects, folders };
      token = element(document, "NextContinuationToken");
    } while (token !== undefined);
  };
}

/** Removes what one request may name. */
async function removeSome(ask: Ask, keys: readonly string[]): Promise<void> {
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`);
  const text = `<Delete><Quiet>true</Quiet>${objects.join("")}</Delete>`;
  const document = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
  // S3 asks for it here.
  const headers = { "content-md5": createHash("md5").update(document).digest("base64") };
  const query = { delete: "" };
  const content = contentOf(document);
  const said = await textOf(await ask({ method: "POST", query, headers, content }));
  const [failed] = elements(said, "Error");
  if (failed === undefined) return;
  throw new StoreRefusal(200, element(failed, "Code") ?? "unknown", "an object is not deleted");
}

/** Opens nothing yet. */
export function openS3(settings: S3Settings): S3 {
  const { ask, close } = createAsk(settings);
  const root = `${settings.prefix.slice(1)}/`;
  const pages = createPages(ask, root);
  return {
    async put(key, content) {
      const headers = { "x-amz-meta-sha256": content.sha256 };
      (await ask({ method: "PUT", key, headers, content })).resume();
    },
    async get(key) {
      const stream = await ask({ method: "GET", key }).catch((error) => {
        if (error instanceof StoreRefusal && error.message.includes("NoSuchKey")) return undefined;
        throw error;
      });
      if (stream === undefined) return undefined;
      const bytes = Number(stream.headers["content-length"]);
      return { bytes, sha256: String(stream.headers["x-amz-meta-sha256"] ?? "") || null, stream };
    },
    async *list(prefix) {
      for await (const { objects } of pages(prefix, "")) yield* objects;
    },
    async folders(prefix) {
      const found: string[] = [];
      for await (const { folders } of pages(prefix, "/")) found.push(...folders);
      return found;
    },
    async remove(keys) {
      const whole = keys.map((key) => root + key);
      for (let at = 0; at < whole.length; at += removedAtOnce) {
        await removeSome(ask, whole.slice(at, at + removedAtOnce));
      }
    },
    close,
  };
}
