ALTER TABLE `cluster` ADD `mark_confirmed` text;--> statement-breakpoint
ALTER TABLE `cluster` ADD `mark_pending` text;--> statement-breakpoint
ALTER TABLE `installation` DROP COLUMN `tick`;