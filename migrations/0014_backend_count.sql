ALTER TABLE `cluster` ADD `backends_max` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cluster` ADD `backends_count` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `database` ADD `backends` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `database` SET `backends` = max(
  coalesce(json_extract(own_limits, '$.poolSize'), json_extract(plan_limits, '$.poolSize'),
    case size when 'small' then 4 when 'medium' then 8 else 16 end)
  + coalesce(json_extract(own_limits, '$.sessionConnectionsMax'), json_extract(plan_limits, '$.sessionConnectionsMax'),
    case size when 'small' then 4 when 'medium' then 8 else 16 end),
  (coalesce(json_extract(own_limits, '$.connectionsMax'), json_extract(plan_limits, '$.connectionsMax'),
    case size when 'small' then 100 when 'medium' then 200 else 500 end) + 15) / 16);--> statement-breakpoint
UPDATE `cluster` SET `backends_max` = 3 * databases_max, `backends_count` = (
  SELECT coalesce(sum(d.backends), 0) FROM `database` d
  WHERE d.cluster_id = cluster.id AND d.state NOT IN ('failed', 'purged'));
