import type { HostConfig } from "../../host/config.ts";

/** A configuration that is valid and leads nowhere. */
export function aConfig(directory = "/srv/miosa"): HostConfig {
  return {
    host_id: "0195d3a0-0000-7000-8000-000000000001",
    directory,
    binaries: {
      kind: "native",
      postgres: "/usr/lib/postgresql/17/bin",
      pgbouncer: "/usr/sbin/pgbouncer",
      pgbackrest: "/usr/bin/pgbackrest",
    },
    listen: { address: "127.0.0.1", http_port: 1, transaction_port: 2, session_port: 3 },
    public_host: "127.0.0.1",
    control_keys: [{ kty: "OKP", crv: "Ed25519", x: "x".repeat(43), kid: "key-1" }],
    databases_max: 300,
    backup: {
      recovery_days: 7,
      base_backup_days: 30,
      archive_timeout_seconds: 60,
    },
  };
}
