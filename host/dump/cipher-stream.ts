// Content that is encrypted piece by piece, so that it is never whole in memory. Each piece is
// authenticated with its place and with whether it is the last: none can be changed, moved, left
// out or cut off. A file has a key of its own, made from the installation's and its salt.
import {
  createCipheriv,
  createDecipheriv,
  type DecipherGCM,
  hkdfSync,
  randomBytes,
} from "node:crypto";

const magic = Buffer.from("MIOSADMP1\n");
const saltBytes = 32;
const pieceBytes = 64 * 1024;
const tagBytes = 16;
const algorithm = "aes-256-gcm";

/** Bytes before the first piece. */
export const headerBytes = magic.length + saltBytes;

/** Bytes as they come. */
export type Bytes = AsyncIterable<Buffer>;

/** Bytes of what is in an encrypted file of that many. */
export function contentBytes(fileBytes: number): number {
  const body = fileBytes - headerBytes;
  return body - Math.max(1, Math.ceil(body / (pieceBytes + tagBytes))) * tagBytes;
}

function keyOf(secret: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, "miosa dump", 32));
}

function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

async function* inPieces(source: Bytes, bytes: number) {
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; rest.length - at > bytes; at += bytes) {
      yield { piece: rest.subarray(at, at + bytes), isLast: false };
    }
    rest = rest.subarray(at);
  }
  yield { piece: rest, isLast: true };
}

/** The encrypted file of what comes. */
export async function* encrypted(secret: string, source: Bytes): AsyncGenerator<Buffer> {
  const salt = randomBytes(saltBytes);
  const key = keyOf(secret, salt);
  yield Buffer.concat([magic, salt]);
  let index = 0;
  for await (const { piece, isLast } of inPieces(source, pieceBytes)) {
    const cipher = createCipheriv(algorithm, key, nonceOf(index++, isLast));
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
  }
}

/**
 * What an encrypted file holds; `header` are its first bytes, `source` the rest.
 * @throws Error when anything of it is not as it was written.
 */
export async function* decrypted(
  secret: string,
  header: Buffer,
  source: Bytes,
): AsyncGenerator<Buffer> {
  if (!header.subarray(0, magic.length).equals(magic)) throw damaged();
  const key = keyOf(secret, header.subarray(magic.length));
  let index = 0;
  for await (const { piece, isLast } of inPieces(source, pieceBytes + tagBytes)) {
    const decipher = createDecipheriv(algorithm, key, nonceOf(index++, isLast));
    yield opened(decipher, piece);
  }
}

function opened(decipher: DecipherGCM, piece: Buffer): Buffer {
  if (piece.length < tagBytes) throw damaged();
  decipher.setAuthTag(piece.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(piece.subarray(0, -tagBytes)), decipher.final()]);
  } catch {
    throw damaged();
  }
}

function damaged(): Error {
  return new Error("The stored dump is damaged, or was made with another encryption key.");
}
