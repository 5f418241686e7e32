CREATE TABLE `attempt` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`delivery_id` text NOT NULL,
	`number` integer NOT NULL,
	`response_status` integer,
	`response_body` text,
	`error_message` text,
	`duration_milliseconds` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `attempt_of_delivery` ON `attempt` (`delivery_id`,`seq`);--> statement-breakpoint
CREATE INDEX `attempt_age` ON `attempt` (`created_at`);--> statement-breakpoint
CREATE TABLE `delivery` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`webhook_id` text NOT NULL,
	`event_id` text NOT NULL,
	`event_type` text NOT NULL,
	`resource_id` text NOT NULL,
	`state` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`response_status` integer,
	`response_body` text,
	`error_message` text,
	`next_attempt_at` integer NOT NULL,
	`delivered_at` integer,
	`replay_of` text,
	`replay_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `delivery_id_unique` ON `delivery` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `delivery_of_event` ON `delivery` (`webhook_id`,`event_id`) WHERE replay_of is null;--> statement-breakpoint
CREATE UNIQUE INDEX `delivery_replay` ON `delivery` (`webhook_id`,`replay_id`);--> statement-breakpoint
CREATE INDEX `delivery_of_replayed` ON `delivery` (`replay_of`);--> statement-breakpoint
CREATE INDEX `delivery_due` ON `delivery` (`webhook_id`,`next_attempt_at`,`seq`) WHERE state in ('pending', 'retrying');--> statement-breakpoint
CREATE INDEX `delivery_of_webhook` ON `delivery` (`webhook_id`,`seq`);--> statement-breakpoint
CREATE INDEX `delivery_age` ON `delivery` (`created_at`);--> statement-breakpoint
CREATE TABLE `webhook` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text,
	`name` text,
	`description` text,
	`url` text NOT NULL,
	`events` text NOT NULL,
	`state` text NOT NULL,
	`headers_sealed` text NOT NULL,
	`retry_count` integer NOT NULL,
	`secret_sealed` text NOT NULL,
	`secret_preview` text NOT NULL,
	`former_secret_sealed` text,
	`former_secret_until` integer,
	`failure_count` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`last_triggered_at` integer,
	`last_status_code` integer,
	`event_seq` integer NOT NULL,
	`metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhook_id_unique` ON `webhook` (`id`);--> statement-breakpoint
CREATE INDEX `webhook_of_organization` ON `webhook` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `event_age` ON `event` (`created_at`);