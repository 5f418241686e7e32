DROP INDEX `database_primary_of_environment`;--> statement-breakpoint
DROP INDEX `database_name_in_environment`;--> statement-breakpoint
CREATE UNIQUE INDEX `database_primary_of_environment` ON `database` (`environment_id`) WHERE is_primary = 1 and state not in ('failed', 'deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE UNIQUE INDEX `database_name_in_environment` ON `database` (`environment_id`,`name`) WHERE state not in ('failed', 'deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
DROP INDEX `project_slug`;--> statement-breakpoint
DROP INDEX `project_default`;--> statement-breakpoint
CREATE UNIQUE INDEX `project_slug` ON `project` (`workspace_id`,`slug`) WHERE state not in ('deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE UNIQUE INDEX `project_default` ON `project` (`workspace_id`) WHERE is_default = 1 and state not in ('deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);