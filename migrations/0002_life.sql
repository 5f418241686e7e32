CREATE TABLE `alert` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`message` text NOT NULL,
	`details` text NOT NULL,
	`resolved_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `alert_id_unique` ON `alert` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `alert_open` ON `alert` (`kind`,`subject`) WHERE resolved_at is null;--> statement-breakpoint
CREATE INDEX `alert_age` ON `alert` (`resolved_at`,`seq`);--> statement-breakpoint
CREATE TABLE `event` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text,
	`project_id` text,
	`resource_id` text NOT NULL,
	`operation_id` text,
	`type` text NOT NULL,
	`data` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`external_workspace_id` text,
	`external_user_id` text,
	`external_project_id` text,
	`metadata` text DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_id_unique` ON `event` (`id`);--> statement-breakpoint
CREATE INDEX `event_of_organization` ON `event` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `event_of_resource` ON `event` (`resource_id`,`seq`);--> statement-breakpoint
DROP INDEX `database_primary_of_environment`;--> statement-breakpoint
DROP INDEX `database_name_in_environment`;--> statement-breakpoint
ALTER TABLE `database` ADD `suspend_after_seconds` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `allowed_addresses` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `plan_limits` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `own_limits` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `storage_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `storage_allocated_bytes` integer;--> statement-breakpoint
ALTER TABLE `database` ADD `storage_state` text DEFAULT 'normal' NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `storage_measured_at` integer;--> statement-breakpoint
ALTER TABLE `database` ADD `purge_at` integer;--> statement-breakpoint
ALTER TABLE `database` ADD `state_before_delete` text;--> statement-breakpoint
CREATE UNIQUE INDEX `database_primary_of_environment` ON `database` (`environment_id`) WHERE is_primary = 1 and state not in ('failed', 'deleted', 'purged');--> statement-breakpoint
CREATE UNIQUE INDEX `database_name_in_environment` ON `database` (`environment_id`,`name`) WHERE state not in ('failed', 'deleted', 'purged');--> statement-breakpoint
DROP INDEX `project_slug`;--> statement-breakpoint
DROP INDEX `project_default`;--> statement-breakpoint
ALTER TABLE `project` ADD `purge_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `project_slug` ON `project` (`workspace_id`,`slug`) WHERE state not in ('deleted', 'purged');--> statement-breakpoint
CREATE UNIQUE INDEX `project_default` ON `project` (`workspace_id`) WHERE is_default = 1 and state not in ('deleted', 'purged');--> statement-breakpoint
ALTER TABLE `organization` ADD `plan_limits` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE `cluster` ADD `transition_seq` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `database` SET `state` = 'purged' WHERE `state` = 'deleted';--> statement-breakpoint
UPDATE `project` SET `state` = 'purged' WHERE `state` = 'deleted';
