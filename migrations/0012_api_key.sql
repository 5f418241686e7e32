CREATE TABLE `former_api_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_id` text NOT NULL,
	`key_hash` text NOT NULL,
	`expires_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`key_id`) REFERENCES `api_key`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `former_api_key_key_hash_unique` ON `former_api_key` (`key_hash`);--> statement-breakpoint
CREATE INDEX `former_api_key_of_key` ON `former_api_key` (`key_id`);--> statement-breakpoint
ALTER TABLE `api_key` ADD `key_type` text DEFAULT 'user' NOT NULL;--> statement-breakpoint
ALTER TABLE `api_key` ADD `purpose` text;--> statement-breakpoint
ALTER TABLE `api_key` ADD `allowed_networks` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `api_key` ADD `external_user_id` text;--> statement-breakpoint
ALTER TABLE `api_key` ADD `created_by` text;--> statement-breakpoint
ALTER TABLE `api_key` ADD `last_used_at` integer;