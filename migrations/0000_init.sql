CREATE TABLE `api_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text,
	`name` text NOT NULL,
	`key_prefix` text NOT NULL,
	`key_hash` text NOT NULL,
	`scopes` text NOT NULL,
	`is_admin` integer NOT NULL,
	`rate_limit_rpm` integer NOT NULL,
	`status` text NOT NULL,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organization`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_id_unique` ON `api_key` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_key_hash_unique` ON `api_key` (`key_hash`);--> statement-breakpoint
CREATE INDEX `api_key_of_organization` ON `api_key` (`organization_id`,`seq`);--> statement-breakpoint
CREATE TABLE `idempotency_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`organization_id` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`holder` text NOT NULL,
	`locked_until` integer NOT NULL,
	`resource_path` text,
	`status` integer,
	`body_sealed` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `idempotency_key_of_organization` ON `idempotency_key` (`organization_id`,`key`);--> statement-breakpoint
CREATE INDEX `idempotency_key_age` ON `idempotency_key` (`created_at`);--> statement-breakpoint
CREATE TABLE `organization` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`projects_max` integer NOT NULL,
	`projects_count` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "organization_has_room" CHECK("organization"."projects_count" <= "organization"."projects_max")
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organization_id_unique` ON `organization` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `organization_slug_unique` ON `organization` (`slug`);--> statement-breakpoint
CREATE TABLE `workspace` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`description` text,
	`external_workspace_id` text,
	`metadata` text NOT NULL,
	`settings` text NOT NULL,
	`is_default` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organization`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_id_unique` ON `workspace` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_slug` ON `workspace` (`organization_id`,`slug`);--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_external` ON `workspace` (`organization_id`,`external_workspace_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_default` ON `workspace` (`organization_id`) WHERE is_default = 1;--> statement-breakpoint
CREATE INDEX `workspace_of_organization` ON `workspace` (`organization_id`,`seq`);--> statement-breakpoint
CREATE TABLE `cluster` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`host_url` text NOT NULL,
	`public_host` text NOT NULL,
	`transaction_port` integer NOT NULL,
	`session_port` integer NOT NULL,
	`control_user` text NOT NULL,
	`control_password_sealed` text NOT NULL,
	`databases_max` integer NOT NULL,
	`databases_count` integer DEFAULT 0 NOT NULL,
	`state` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "cluster_has_room" CHECK("cluster"."databases_count" <= "cluster"."databases_max"),
	CONSTRAINT "cluster_count_is_natural" CHECK("cluster"."databases_count" >= 0)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `cluster_id_unique` ON `cluster` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `cluster_name_unique` ON `cluster` (`name`);--> statement-breakpoint
CREATE TABLE `database` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`environment_id` text NOT NULL,
	`environment` text NOT NULL,
	`name` text NOT NULL,
	`is_primary` integer NOT NULL,
	`size` text NOT NULL,
	`state` text NOT NULL,
	`cluster_id` text NOT NULL,
	`database_name` text NOT NULL,
	`owner_role` text NOT NULL,
	`login_role` text NOT NULL,
	`password_sealed` text NOT NULL,
	`error_message` text,
	`deleted_at` integer,
	`external_workspace_id` text,
	`external_user_id` text,
	`external_project_id` text,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `database_id_unique` ON `database` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `database_database_name_unique` ON `database` (`database_name`);--> statement-breakpoint
CREATE UNIQUE INDEX `database_primary_of_environment` ON `database` (`environment_id`) WHERE is_primary = 1 and state not in ('failed', 'deleted');--> statement-breakpoint
CREATE UNIQUE INDEX `database_name_in_environment` ON `database` (`environment_id`,`name`) WHERE state not in ('failed', 'deleted');--> statement-breakpoint
CREATE INDEX `database_of_organization` ON `database` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `database_of_project` ON `database` (`project_id`,`seq`);--> statement-breakpoint
CREATE INDEX `database_of_cluster` ON `database` (`cluster_id`,`seq`);--> statement-breakpoint
CREATE TABLE `environment` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `environment_id_unique` ON `environment` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `environment_name` ON `environment` (`project_id`,`name`);--> statement-breakpoint
CREATE INDEX `environment_of_project` ON `environment` (`project_id`,`seq`);--> statement-breakpoint
CREATE TABLE `operation` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text,
	`project_id` text,
	`resource_id` text NOT NULL,
	`lane` text NOT NULL,
	`kind` text NOT NULL,
	`status` text NOT NULL,
	`step` text NOT NULL,
	`steps_done` integer NOT NULL,
	`steps_total` integer NOT NULL,
	`attempts` integer NOT NULL,
	`input` text NOT NULL,
	`step_milliseconds` text DEFAULT '{}' NOT NULL,
	`lease_token` text NOT NULL,
	`error_code` text,
	`error_message` text,
	`cancel_requested_at` integer,
	`run_after` integer NOT NULL,
	`deadline_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	`request_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `operation_id_unique` ON `operation` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `operation_active_of_resource` ON `operation` (`resource_id`) WHERE status in ('pending', 'running', 'unwinding');--> statement-breakpoint
CREATE INDEX `operation_active_of_lane` ON `operation` (`lane`,`seq`) WHERE status in ('pending', 'running', 'unwinding');--> statement-breakpoint
CREATE INDEX `operation_of_organization` ON `operation` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `operation_of_resource` ON `operation` (`resource_id`,`seq`);--> statement-breakpoint
CREATE TABLE `project` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`description` text,
	`settings` text NOT NULL,
	`is_default` integer NOT NULL,
	`has_postgres` integer NOT NULL,
	`postgres_size` text,
	`state` text NOT NULL,
	`deleted_at` integer,
	`external_workspace_id` text,
	`external_user_id` text,
	`external_project_id` text,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `project_id_unique` ON `project` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `project_slug` ON `project` (`workspace_id`,`slug`) WHERE state != 'deleted';--> statement-breakpoint
CREATE INDEX `project_external` ON `project` (`organization_id`,`external_project_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `project_default` ON `project` (`workspace_id`) WHERE is_default = 1 and state != 'deleted';--> statement-breakpoint
CREATE INDEX `project_of_organization` ON `project` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `project_of_workspace` ON `project` (`workspace_id`,`seq`);