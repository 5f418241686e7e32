ALTER TABLE `restore` ADD `method` text;--> statement-breakpoint
ALTER TABLE `restore` ADD `repository` integer;