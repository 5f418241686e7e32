// What of a request's words goes into the log: what is named here, and nothing else. A secret is
// never under one of these names.
const names = new Set([
  ...["name", "slug", "description", "label", "type", "mode", "state", "enabled", "active"],
  ...["size", "plan", "data", "postgres", "environment", "limits", "small", "medium", "large"],
  ...["connections_max", "session_connections_max", "memory_mb", "storage_mb", "storage_mb_max"],
  ...["pool_size", "temporary_mb_max", "cpu_count"],
  ...["suspend_after_seconds", "allowed_addresses", "deletion_protection"],
  ...["grace_seconds", "overlap_seconds", "keep_seconds", "retention_days"],
  ...["target_time", "backup_id", "restore_point", "before", "operation_id"],
  ...["workspace_id", "project_id", "environment_id", "database_id"],
  ...["external_workspace_id", "external_user_id", "external_project_id"],
  ...["public_host", "transaction_port", "session_port", "databases_max", "backends_max"],
  ...["scopes", "key_type", "purpose", "expires_at", "expires_in_days", "allowed_ips"],
  ...["rate_limit_rpm", "events", "retry_count", "since", "replay_id"],
]);

const charactersMax = 500;
const itemsMax = 100;
const depthMax = 3;

/** The part of a request's words, or of a thing, that the log may show. */
export function shown(words: unknown): Readonly<Record<string, unknown>> {
  return isRecord(words) ? pick(words, depthMax) : {};
}

function pick(words: Readonly<Record<string, unknown>>, depth: number) {
  const kept = Object.entries(words).filter(([name]) => names.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, shorten(value, depth)]));
}

function shorten(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.slice(0, charactersMax);
  if (Array.isArray(value)) return value.filter(isScalar).slice(0, itemsMax).map(clip);
  if (isRecord(value)) return depth === 0 ? null : pick(value, depth - 1);
  return isScalar(value) ? value : null;
}

function clip(value: unknown): unknown {
  return typeof value === "string" ? value.slice(0, charactersMax) : value;
}

function isScalar(value: unknown): boolean {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
