CREATE TABLE `open_stream` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`key_id` text NOT NULL,
	`open_until` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `open_stream_id_unique` ON `open_stream` (`id`);--> statement-breakpoint
CREATE INDEX `open_stream_of_organization` ON `open_stream` (`organization_id`,`open_until`);--> statement-breakpoint
CREATE INDEX `open_stream_age` ON `open_stream` (`open_until`);