CREATE TABLE `installation` (
	`id` integer PRIMARY KEY NOT NULL,
	`epoch` text NOT NULL,
	`tick` integer NOT NULL,
	`held_at` integer,
	`held_reason` text,
	`held_by` text,
	CONSTRAINT "installation_is_one" CHECK("installation"."id" = 1)
);
--> statement-breakpoint
ALTER TABLE `cluster` ADD `system_identifier` text;--> statement-breakpoint
ALTER TABLE `cluster` ADD `silent_since` integer;--> statement-breakpoint
ALTER TABLE `cluster` ADD `silent_reason` text;--> statement-breakpoint
ALTER TABLE `cluster` ADD `disk_free_bytes` integer;--> statement-breakpoint
ALTER TABLE `cluster` ADD `disk_total_bytes` integer;--> statement-breakpoint
ALTER TABLE `cluster` ADD `protocol` integer;--> statement-breakpoint
ALTER TABLE `cluster` ADD `incident_seq` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cluster` ADD `adopts_mark` integer DEFAULT false NOT NULL;