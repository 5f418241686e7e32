CREATE TABLE `key_preset` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`scopes` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organization`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `key_preset_id_unique` ON `key_preset` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `key_preset_name` ON `key_preset` (`organization_id`,`name`);--> statement-breakpoint
DROP INDEX `idempotency_key_of_organization`;--> statement-breakpoint
ALTER TABLE `idempotency_key` ADD `key_id` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `idempotency_key_of_key` ON `idempotency_key` (`key_id`,`key`);--> statement-breakpoint
DROP INDEX `workspace_slug`;--> statement-breakpoint
DROP INDEX `workspace_external`;--> statement-breakpoint
ALTER TABLE `workspace` ADD `deleted_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_slug` ON `workspace` (`organization_id`,`slug`) WHERE deleted_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_external` ON `workspace` (`organization_id`,`external_workspace_id`) WHERE deleted_at is null;--> statement-breakpoint
ALTER TABLE `api_key` ADD `ancestors` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `delivery` ADD `attempted_at` integer;--> statement-breakpoint
ALTER TABLE `delivery` ADD `duration_milliseconds` integer;--> statement-breakpoint
CREATE INDEX `open_stream_of_key` ON `open_stream` (`key_id`,`open_until`);