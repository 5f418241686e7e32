CREATE TABLE `base_backup` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`type` text NOT NULL,
	`state` text NOT NULL,
	`wal_bytes` integer NOT NULL,
	`ended_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `base_backup_id_unique` ON `base_backup` (`id`);--> statement-breakpoint
CREATE INDEX `base_backup_of_cluster` ON `base_backup` (`cluster_id`,`seq`);--> statement-breakpoint
CREATE TABLE `database_incarnation` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`database_id` text NOT NULL,
	`oid` integer NOT NULL,
	`ended_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `incarnation_of_database` ON `database_incarnation` (`database_id`,`seq`);--> statement-breakpoint
CREATE TABLE `restore` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`source_database_id` text NOT NULL,
	`database_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`operation_id` text NOT NULL,
	`mode` text NOT NULL,
	`state` text NOT NULL,
	`requested_target` text NOT NULL,
	`reached_at` text,
	`evidence` text,
	`backup_label` text,
	`bytes_total` integer,
	`step_milliseconds` text DEFAULT '{}' NOT NULL,
	`error_message` text,
	`twin_name` text,
	`aside_name` text,
	`aside_until` integer,
	`undone_at` integer,
	`finished_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `restore_id_unique` ON `restore` (`id`);--> statement-breakpoint
CREATE INDEX `restore_of_source` ON `restore` (`source_database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `restore_aside` ON `restore` (`aside_until`);--> statement-breakpoint
CREATE TABLE `restore_point` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`database_id` text NOT NULL,
	`name` text NOT NULL,
	`wal_name` text NOT NULL,
	`lsn` text NOT NULL,
	`at` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `restore_point_id_unique` ON `restore_point` (`id`);--> statement-breakpoint
CREATE INDEX `restore_point_of_database` ON `restore_point` (`database_id`,`seq`);--> statement-breakpoint
ALTER TABLE `database` ADD `oid` integer;