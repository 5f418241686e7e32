CREATE TABLE `dump` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`database_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`operation_id` text,
	`origin` text NOT NULL,
	`name` text,
	`state` text NOT NULL,
	`size_bytes` integer DEFAULT 0 NOT NULL,
	`checksum` text,
	`made_with` text,
	`error_message` text,
	`expires_at` integer NOT NULL,
	`finished_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `dump_id_unique` ON `dump` (`id`);--> statement-breakpoint
CREATE INDEX `dump_of_database` ON `dump` (`database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `dump_expiry` ON `dump` (`expires_at`);--> statement-breakpoint
CREATE INDEX `dump_of_cluster` ON `dump` (`cluster_id`,`seq`);--> statement-breakpoint
ALTER TABLE `restore` ADD `source` text DEFAULT 'recovery' NOT NULL;