// What an endpoint keeps sealed: its signing secrets, and headers that may authenticate.
import type { Context } from "../core/context.ts";
import { base64, type IdSource } from "../core/id.ts";
import { seal, unseal } from "../core/seal.ts";
import type { WebhookRow } from "./table.ts";

const secretBytes = 32;

/** A new secret of the standard's form. */
export function makeSecret(source: IdSource): string {
  return `whsec_${base64(source.random(secretBytes))}`;
}

/** What may be shown of a secret, to tell it from others. */
function previewOf(secret: string): string {
  return `${secret.startsWith("whsec_") ? "whsec_" : ""}…${secret.slice(-4)}`;
}

/** What an endpoint's secrets are sealed for. */
export const secretPurpose = (webhookId: string) => `webhook:${webhookId}:secret`;
/** What its headers are sealed for. */
export const headersPurpose = (webhookId: string) => `webhook:${webhookId}:headers`;

/** The columns of a secret. */
export async function sealSecret(context: Context, webhookId: string, secret: string) {
  const secretSealed = await seal(context.keyring, context, secretPurpose(webhookId), secret);
  return { secretSealed, secretPreview: previewOf(secret) };
}

/** The column of headers. */
export async function sealHeaders(
  context: Context,
  webhookId: string,
  headers: Readonly<Record<string, string>>,
) {
  const text = JSON.stringify(headers);
  return { headersSealed: await seal(context.keyring, context, headersPurpose(webhookId), text) };
}

/** An endpoint's headers. */
export async function headersOf(
  { keyring }: Context,
  { id, headersSealed }: WebhookRow,
): Promise<Record<string, string>> {
  return JSON.parse(await unseal(keyring, headersPurpose(id), headersSealed));
}

/** The secrets that sign now, the newest first. */
export async function secretsOf(
  { keyring, now }: Context,
  { id, secretSealed, formerSecretSealed: former, formerSecretUntil: until }: WebhookRow,
): Promise<[string, ...string[]]> {
  const newest = await unseal(keyring, secretPurpose(id), secretSealed);
  if (former === null || until === null || until <= now()) return [newest];
  return [newest, await unseal(keyring, secretPurpose(id), former)];
}
