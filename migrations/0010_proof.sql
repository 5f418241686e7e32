CREATE TABLE `certificate` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`database_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`verification_id` text NOT NULL,
	`result` text NOT NULL,
	`backup_label` text,
	`document` text NOT NULL,
	`key_id` text NOT NULL,
	`signature` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_id_unique` ON `certificate` (`id`);--> statement-breakpoint
CREATE INDEX `certificate_of_database` ON `certificate` (`database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `certificate_failed` ON `certificate` (`seq`) WHERE result = 'failed';--> statement-breakpoint
CREATE INDEX `certificate_age` ON `certificate` (`created_at`);--> statement-breakpoint
CREATE TABLE `certificate_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kid` text NOT NULL,
	`x` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_key_kid_unique` ON `certificate_key` (`kid`);--> statement-breakpoint
CREATE TABLE `verification` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`state` text NOT NULL,
	`databases` integer NOT NULL,
	`error_message` text,
	`ended_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `verification_id_unique` ON `verification` (`id`);--> statement-breakpoint
CREATE INDEX `verification_of_cluster` ON `verification` (`cluster_id`,`seq`);