ALTER TABLE `restore` ADD `progress` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `preview_id` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `preview_slot` integer;--> statement-breakpoint
ALTER TABLE `restore` ADD `preview_name` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `preview_login` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `password_sealed` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `expires_at` integer;--> statement-breakpoint
ALTER TABLE `restore` ADD `ended_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `restore_preview_slot` ON `restore` (`cluster_id`,`preview_slot`);--> statement-breakpoint
CREATE UNIQUE INDEX `restore_preview_of_source` ON `restore` (`source_database_id`) WHERE preview_slot is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `restore_promoted_from` ON `restore` (`preview_id`) WHERE state in ('pending', 'running', 'succeeded');