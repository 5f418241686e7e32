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
	`key_type` text DEFAULT 'user' NOT NULL,
	`purpose` text,
	`allowed_networks` text DEFAULT '[]' NOT NULL,
	`external_user_id` text,
	`created_by` text,
	`ancestors` text DEFAULT '[]' NOT NULL,
	`last_used_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organization`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_id_unique` ON `api_key` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_key_hash_unique` ON `api_key` (`key_hash`);--> statement-breakpoint
CREATE INDEX `api_key_of_organization` ON `api_key` (`organization_id`,`seq`);--> statement-breakpoint
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
CREATE TABLE `idempotency_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`organization_id` text NOT NULL,
	`key_id` text DEFAULT '' NOT NULL,
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
CREATE UNIQUE INDEX `idempotency_key_of_key` ON `idempotency_key` (`key_id`,`key`);--> statement-breakpoint
CREATE INDEX `idempotency_key_age` ON `idempotency_key` (`created_at`);--> statement-breakpoint
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
CREATE INDEX `open_stream_of_key` ON `open_stream` (`key_id`,`open_until`);--> statement-breakpoint
CREATE INDEX `open_stream_age` ON `open_stream` (`open_until`);--> statement-breakpoint
CREATE TABLE `organization` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`projects_max` integer NOT NULL,
	`projects_count` integer DEFAULT 0 NOT NULL,
	`plan_limits` text DEFAULT '{}' NOT NULL,
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
	`deleted_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organization`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_id_unique` ON `workspace` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_slug` ON `workspace` (`organization_id`,`slug`) WHERE deleted_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_external` ON `workspace` (`organization_id`,`external_workspace_id`) WHERE deleted_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_default` ON `workspace` (`organization_id`) WHERE is_default = 1;--> statement-breakpoint
CREATE INDEX `workspace_of_organization` ON `workspace` (`organization_id`,`seq`);--> statement-breakpoint
CREATE TABLE `alert` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`message` text NOT NULL,
	`details` text NOT NULL,
	`resolved_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `alert_id_unique` ON `alert` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `alert_open` ON `alert` (`kind`,`subject`) WHERE resolved_at is null;--> statement-breakpoint
CREATE INDEX `alert_age` ON `alert` (`resolved_at`,`seq`);--> statement-breakpoint
CREATE TABLE `audit_entry` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`actor_id` text NOT NULL,
	`actor_prefix` text NOT NULL,
	`address` text,
	`action` text NOT NULL,
	`resource_type` text,
	`resource_id` text,
	`before` text,
	`after` text,
	`request_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`previous_hash` text,
	`hash` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_entry_id_unique` ON `audit_entry` (`id`);--> statement-breakpoint
CREATE INDEX `audit_entry_of_organization` ON `audit_entry` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_entry_of_resource` ON `audit_entry` (`resource_id`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_entry_unsealed` ON `audit_entry` (`organization_id`,`seq`) WHERE hash is null;--> statement-breakpoint
CREATE INDEX `audit_entry_age` ON `audit_entry` (`created_at`);--> statement-breakpoint
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
	`suspend_after_seconds` integer DEFAULT 0 NOT NULL,
	`allowed_addresses` text DEFAULT '[]' NOT NULL,
	`plan_limits` text DEFAULT '{}' NOT NULL,
	`own_limits` text DEFAULT '{}' NOT NULL,
	`backends` integer DEFAULT 0 NOT NULL,
	`storage_bytes` integer DEFAULT 0 NOT NULL,
	`storage_allocated_bytes` integer,
	`storage_state` text DEFAULT 'normal' NOT NULL,
	`storage_measured_at` integer,
	`host_id` text NOT NULL,
	`database_name` text NOT NULL,
	`login_role` text NOT NULL,
	`password_sealed` text NOT NULL,
	`pending_login_role` text,
	`pending_password_sealed` text,
	`former_logins` text DEFAULT '[]' NOT NULL,
	`branch_of` text,
	`expires_at` integer,
	`deletion_protection` integer DEFAULT false NOT NULL,
	`error_message` text,
	`deleted_at` integer,
	`purge_at` integer,
	`state_before_delete` text,
	`deleted_with_project` integer DEFAULT false NOT NULL,
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
CREATE UNIQUE INDEX `database_primary_of_environment` ON `database` (`environment_id`) WHERE is_primary = 1 and state not in ('failed', 'deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE UNIQUE INDEX `database_name_in_environment` ON `database` (`environment_id`,`name`) WHERE state not in ('failed', 'deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE INDEX `database_of_organization` ON `database` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `database_of_project` ON `database` (`project_id`,`seq`);--> statement-breakpoint
CREATE INDEX `database_of_host` ON `database` (`host_id`,`seq`);--> statement-breakpoint
CREATE INDEX `database_branch` ON `database` (`branch_of`,`seq`);--> statement-breakpoint
CREATE INDEX `database_expiry` ON `database` (`expires_at`);--> statement-breakpoint
CREATE TABLE `spare` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`host_id` text NOT NULL,
	`database_name` text NOT NULL,
	`login_role` text NOT NULL,
	`password_sealed` text NOT NULL,
	`backends` integer NOT NULL,
	`state` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `spare_id_unique` ON `spare` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `spare_database_name_unique` ON `spare` (`database_name`);--> statement-breakpoint
CREATE INDEX `spare_of_host` ON `spare` (`host_id`,`state`);--> statement-breakpoint
CREATE TABLE `dump` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`database_id` text NOT NULL,
	`host_id` text NOT NULL,
	`operation_id` text,
	`origin` text NOT NULL,
	`name` text,
	`state` text NOT NULL,
	`size_bytes` integer DEFAULT 0 NOT NULL,
	`checksum` text,
	`made_with` text,
	`error_message` text,
	`expires_at` integer NOT NULL,
	`finished_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `dump_id_unique` ON `dump` (`id`);--> statement-breakpoint
CREATE INDEX `dump_of_database` ON `dump` (`database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `dump_expiry` ON `dump` (`expires_at`);--> statement-breakpoint
CREATE INDEX `dump_of_host` ON `dump` (`host_id`,`seq`);--> statement-breakpoint
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
CREATE TABLE `installation` (
	`id` integer PRIMARY KEY NOT NULL,
	`epoch` text NOT NULL,
	`held_at` integer,
	`held_reason` text,
	`held_by` text,
	CONSTRAINT "installation_is_one" CHECK("installation"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE `host` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`host_url` text NOT NULL,
	`public_host` text NOT NULL,
	`transaction_port` integer NOT NULL,
	`session_port` integer NOT NULL,
	`check_sealed` text NOT NULL,
	`ca_certificates` text,
	`databases_max` integer NOT NULL,
	`databases_count` integer DEFAULT 0 NOT NULL,
	`backends_max` integer DEFAULT 0 NOT NULL,
	`backends_count` integer DEFAULT 0 NOT NULL,
	`state` text NOT NULL,
	`identity` text NOT NULL,
	`silent_since` integer,
	`silent_reason` text,
	`disk_free_bytes` integer,
	`disk_total_bytes` integer,
	`protocol` integer NOT NULL,
	`incident_seq` integer DEFAULT 0 NOT NULL,
	`mark_confirmed` text,
	`mark_pending` text,
	`adopts_mark` integer DEFAULT false NOT NULL,
	`transition_seq` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "host_has_room" CHECK("host"."databases_count" <= "host"."databases_max"),
	CONSTRAINT "host_count_is_natural" CHECK("host"."databases_count" >= 0)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `host_id_unique` ON `host` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `host_name_unique` ON `host` (`name`);--> statement-breakpoint
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
	`purge_at` integer,
	`external_workspace_id` text,
	`external_user_id` text,
	`external_project_id` text,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `project_id_unique` ON `project` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `project_slug` ON `project` (`workspace_id`,`slug`) WHERE state not in ('deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE INDEX `project_external` ON `project` (`organization_id`,`external_project_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `project_default` ON `project` (`workspace_id`) WHERE is_default = 1 and state not in ('deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null);--> statement-breakpoint
CREATE INDEX `project_of_organization` ON `project` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `project_of_workspace` ON `project` (`workspace_id`,`seq`);--> statement-breakpoint
CREATE TABLE `certificate` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`database_id` text NOT NULL,
	`host_id` text NOT NULL,
	`verification_id` text NOT NULL,
	`result` text NOT NULL,
	`backup_label` text,
	`document` text NOT NULL,
	`key_id` text NOT NULL,
	`signature` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_id_unique` ON `certificate` (`id`);--> statement-breakpoint
CREATE INDEX `certificate_of_database` ON `certificate` (`database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `certificate_failed` ON `certificate` (`seq`) WHERE result = 'failed';--> statement-breakpoint
CREATE INDEX `certificate_age` ON `certificate` (`created_at`);--> statement-breakpoint
CREATE TABLE `certificate_key` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kid` text NOT NULL,
	`x` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `certificate_key_kid_unique` ON `certificate_key` (`kid`);--> statement-breakpoint
CREATE TABLE `verification` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`host_id` text NOT NULL,
	`state` text NOT NULL,
	`databases` integer NOT NULL,
	`error_message` text,
	`ended_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `verification_id_unique` ON `verification` (`id`);--> statement-breakpoint
CREATE INDEX `verification_of_host` ON `verification` (`host_id`,`seq`);--> statement-breakpoint
CREATE TABLE `restore` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`project_id` text NOT NULL,
	`source_database_id` text NOT NULL,
	`database_id` text NOT NULL,
	`host_id` text NOT NULL,
	`operation_id` text NOT NULL,
	`mode` text NOT NULL,
	`state` text NOT NULL,
	`source` text DEFAULT 'recovery' NOT NULL,
	`requested_target` text NOT NULL,
	`reached_at` text,
	`evidence` text,
	`backup_label` text,
	`repository` integer,
	`bytes_total` integer,
	`step_milliseconds` text DEFAULT '{}' NOT NULL,
	`passed_over` text DEFAULT '[]' NOT NULL,
	`progress` text,
	`error_message` text,
	`preview_id` text,
	`preview_slot` integer,
	`preview_name` text,
	`preview_login` text,
	`password_sealed` text,
	`expires_at` integer,
	`ended_at` integer,
	`tables` text,
	`aside_instance` text,
	`aside_until` integer,
	`undone_at` integer,
	`finished_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `restore_id_unique` ON `restore` (`id`);--> statement-breakpoint
CREATE INDEX `restore_of_source` ON `restore` (`source_database_id`,`seq`);--> statement-breakpoint
CREATE INDEX `restore_aside` ON `restore` (`aside_until`);--> statement-breakpoint
CREATE UNIQUE INDEX `restore_preview_slot` ON `restore` (`host_id`,`preview_slot`);--> statement-breakpoint
CREATE UNIQUE INDEX `restore_preview_of_source` ON `restore` (`source_database_id`) WHERE preview_slot is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `restore_promoted_from` ON `restore` (`preview_id`) WHERE state in ('pending', 'running', 'succeeded');--> statement-breakpoint
CREATE TABLE `restore_point` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`database_id` text NOT NULL,
	`name` text NOT NULL,
	`wal_name` text NOT NULL,
	`lsn` text NOT NULL,
	`at` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `restore_point_id_unique` ON `restore_point` (`id`);--> statement-breakpoint
CREATE INDEX `restore_point_of_database` ON `restore_point` (`database_id`,`seq`);--> statement-breakpoint
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
	`attempted_at` integer,
	`duration_milliseconds` integer,
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
CREATE TABLE `event` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`workspace_id` text,
	`project_id` text,
	`resource_id` text NOT NULL,
	`operation_id` text,
	`type` text NOT NULL,
	`data` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`external_workspace_id` text,
	`external_user_id` text,
	`external_project_id` text,
	`metadata` text DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_id_unique` ON `event` (`id`);--> statement-breakpoint
CREATE INDEX `event_of_organization` ON `event` (`organization_id`,`seq`);--> statement-breakpoint
CREATE INDEX `event_of_resource` ON `event` (`resource_id`,`seq`);--> statement-breakpoint
CREATE INDEX `event_age` ON `event` (`created_at`);--> statement-breakpoint
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
CREATE INDEX `webhook_of_organization` ON `webhook` (`organization_id`,`seq`);