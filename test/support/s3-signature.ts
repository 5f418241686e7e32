// Signature version 4 of S3, as a server checks it: over the request as it came.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Who may sign, and for where. */
export interface S3Login {
  readonly key: string;
  readonly secret: string;
  readonly region: string;
}

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");
const hmac = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();

const credential = "Credential=([^/]+)\\/(\\d{8})\\/([^/]+)\\/s3\\/aws4_request";
const signed = "SignedHeaders=([^,]+),\\s*Signature=([0-9a-f]{64})";
const shape = new RegExp(`^AWS4-HMAC-SHA256 ${credential},\\s*${signed}$`);

function canonicalQuery(search: string): string {
  const pairs = search.replace(/^\?/, "").split("&").filter(Boolean);
  return pairs
    .map((pair) => (pair.includes("=") ? pair : `${pair}=`))
    .sort()
    .join("&");
}

/** The code of S3's error, or undefined when a request is signed by the login. */
export function refusalOf(
  request: IncomingMessage,
  body: Buffer,
  login: S3Login,
): string | undefined {
  const found = shape.exec(request.headers.authorization ?? "");
  if (found === null) return "AccessDenied";
  const [, key, date = "", region, names = "", signature = ""] = found;
  if (key !== login.key) return "InvalidAccessKeyId";
  if (region !== login.region) return "AuthorizationHeaderMalformed";
  const contentHash = String(request.headers["x-amz-content-sha256"]);
  if (contentHash !== sha256(body)) return "XAmzContentSHA256Mismatch";
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const headers = names.split(";").map((name) => `${name}:${request.headers[name] ?? ""}\n`);
  const canonical = [
    ...[request.method, path, canonicalQuery(query)],
    ...[headers.join(""), names, contentHash],
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const time = String(request.headers["x-amz-date"]);
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const parts = [date, login.region, "s3", "aws4_request"];
  const signing = parts.reduce<string | Buffer>(hmac, `AWS4${login.secret}`);
  const expected = hmac(signing, text);
  const isSame = timingSafeEqual(expected, Buffer.from(signature, "hex"));
  return isSame ? undefined : "SignatureDoesNotMatch";
}
