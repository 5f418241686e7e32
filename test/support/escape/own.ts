/**
 * What a tenant may do that owns its database in a Postgres of its own, and what would reach others
 * if it were shared. Each is carried out, and nobody else notices.
 */
export const ownStatements: readonly string[] = [
  "create role mine; drop role mine",
  "checkpoint",
  "show data_directory",
  "select * from pg_shmem_allocations",
  "select * from pg_backend_memory_contexts",
  "select pg_ls_waldir()",
  "select pg_terminate_backend({theirPid})",
  "select pg_cancel_backend({theirPid})",
  "alter database {myDatabase} connection limit 10000",
  "alter database {myDatabase} connection limit -1",
  "alter database {myDatabase} owner to {myLogin}",
  "alter database {myDatabase} is_template true",
  "comment on database {myDatabase} is 'mine'",
  "reindex database {myDatabase}",
  "reindex system {myDatabase}",
];
