import { v7 } from "uuid";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A project its bearer may touch: made by `project/find.ts` from an actor, or by a lane's name. */
export type ProjectId = Branded<"project">;

/** A customer's billing boundary, taken from the authenticated key. */
export type OrganizationId = Branded<"organization">;

/** Source of time and randomness an id is made from. */
export interface IdSource {
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}

/** A new UUIDv7. Ids sort roughly by time; streams and cursors order by `seq`, never by id. */
export function newId(source: IdSource): string {
  return v7({ msecs: source.now().getTime(), random: source.random(16) });
}

/** True for a UUID of any version, in the canonical 36-character spelling. */
export function isUuid(value: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value);
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** `length` lower-case base32 characters (5 bits each) that begin with a letter. */
export function opaqueName(source: IdSource, length: number): string {
  const bytes = source.random(length);
  let name = "";
  for (let i = 0; i < length; i++) {
    const bits = bytes[i] ?? 0;
    name += i === 0 ? alphabet[bits % 26] : alphabet[bits % 32];
  }
  return name;
}

/** `bytes` random bytes in base64url without padding: passwords, keys and tokens. */
export function randomToken(source: IdSource, bytes: number): string {
  return base64url(source.random(bytes));
}

/** Base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Standard base64 with padding. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Bytes of a standard or url-safe base64 text. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
