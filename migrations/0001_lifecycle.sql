ALTER TABLE `database` ADD `pending_login_role` text;--> statement-breakpoint
ALTER TABLE `database` ADD `pending_password_sealed` text;--> statement-breakpoint
ALTER TABLE `database` ADD `deletion_protection` integer DEFAULT false NOT NULL;