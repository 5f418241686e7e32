-- Custom SQL: what drizzle does not write. The log is only added to.
CREATE TRIGGER `audit_entry_is_added_open` BEFORE INSERT ON `audit_entry`
WHEN new.hash IS NOT NULL OR new.previous_hash IS NOT NULL
  OR EXISTS (SELECT 1 FROM audit_entry WHERE id = new.id OR seq = new.seq)
BEGIN
  SELECT raise(ABORT, 'audit_entry is append-only: an entry is added open, under a new id');
END;--> statement-breakpoint
CREATE TRIGGER `audit_entry_is_sealed_once` BEFORE UPDATE ON `audit_entry`
WHEN old.hash IS NOT NULL OR new.hash IS NULL OR new.previous_hash IS NULL
  OR new.seq IS NOT old.seq OR new.id IS NOT old.id
  OR new.organization_id IS NOT old.organization_id
  OR new.actor_id IS NOT old.actor_id OR new.actor_prefix IS NOT old.actor_prefix
  OR new.address IS NOT old.address OR new.action IS NOT old.action
  OR new.resource_type IS NOT old.resource_type OR new.resource_id IS NOT old.resource_id
  OR new.before IS NOT old.before OR new.after IS NOT old.after
  OR new.request_id IS NOT old.request_id OR new.created_at IS NOT old.created_at
BEGIN
  SELECT raise(ABORT, 'audit_entry is append-only: nothing but its hashes is set, once');
END;--> statement-breakpoint
CREATE TRIGGER `audit_entry_is_kept` BEFORE DELETE ON `audit_entry`
WHEN old.hash IS NULL OR old.created_at > (unixepoch() - 400 * 86400) * 1000
BEGIN
  SELECT raise(ABORT, 'audit_entry is append-only: an entry is kept for 400 days');
END;
