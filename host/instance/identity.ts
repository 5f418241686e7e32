// Gives a copied data directory an identity of its own. Two clusters with one system identifier
// could archive into each other's repository unnoticed; pg_resetwal has no option to set it.
import { randomBytes } from "node:crypto";
import { crc32c } from "./crc32c.ts";
import { changeInside, listInside } from "./inside.ts";

// pg_control begins with the identifier. The nonce that makes up salts for unknown users stands
// right before the checksum, whose place differs between versions of Postgres.
const nonceBytes = 32;
const controlBytesMin = 200;
const controlBytesMax = 512;

// The long header at the begin of each segment of WAL: the identifier after 24 bytes.
const longHeaderBytes = 40;
const identifierOffset = 24;

/** The place of the checksum in pg_control. @throws Error when none of them is right */
function findChecksum(control: Buffer): number {
  for (let at = controlBytesMin; at <= controlBytesMax; at += 4) {
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  }
  throw new Error("pg_control has no checksum that fits: it is damaged, or of an unknown version.");
}

/** A number no other cluster has: as initdb does, the time in seconds, and chance. */
function newIdentifier(seconds: number): bigint {
  return (BigInt(Math.floor(seconds)) << 32n) | BigInt(randomBytes(4).readUInt32LE());
}

const controlFile = ["data", "global", "pg_control"];

/** The system identifier of the cluster in a box. */
export function readIdentifier(box: string): bigint {
  let identifier = 0n;
  const read = (bytes: Buffer) => {
    findChecksum(bytes);
    identifier = bytes.readBigUInt64LE(0);
    return false;
  };
  changeInside(box, controlFile, controlBytesMax + 4, read);
  return identifier;
}

// After the identifier, the version of the file and that of the catalogs: what the cluster is at.
const stateOffset = 16;
const shutDown = 1;

/** True for the cluster in a box whose Postgres was stopped in order: all of its WAL is there. */
export function wasShutDown(box: string): boolean {
  let state = -1;
  const read = (bytes: Buffer) => {
    findChecksum(bytes);
    state = bytes.readUInt32LE(stateOffset);
    return false;
  };
  changeInside(box, controlFile, controlBytesMax + 4, read);
  return state === shutDown;
}

/**
 * Gives a cleanly stopped cluster a new system identifier, and a nonce of its own.
 * @returns the identifier
 * @throws Error when pg_control is not one this knows
 */
export function renewIdentity(box: string, seconds = Date.now() / 1000): bigint {
  const before = readIdentifier(box);
  const identifier = newIdentifier(seconds);
  const wal = listInside(box, "data", "pg_wal").filter((each) => /^[\dA-F]{24}$/.test(each));
  for (const name of wal) {
    const renew = (bytes: Buffer) => {
      if (bytes.readBigUInt64LE(identifierOffset) !== before) return false;
      bytes.writeBigUInt64LE(identifier, identifierOffset);
      return true;
    };
    changeInside(box, ["data", "pg_wal", name], longHeaderBytes, renew);
  }
  const renewControl = (bytes: Buffer) => {
    const checksum = findChecksum(bytes);
    bytes.writeBigUInt64LE(identifier, 0);
    randomBytes(nonceBytes).copy(bytes, checksum - nonceBytes);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, checksum)), checksum);
    return true;
  };
  changeInside(box, controlFile, controlBytesMax + 4, renewControl);
  return identifier;
}
