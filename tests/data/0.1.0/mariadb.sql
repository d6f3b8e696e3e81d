SET FOREIGN_KEY_CHECKS = 0;
/*!50001 CREATE VIEW `change_feed` AS SELECT
 NULL AS `seq`,
 NULL AS `run_id`,
 NULL AS `at`,
 NULL AS `template_id`,
 NULL AS `kind`,
 NULL AS `fields`,
 NULL AS `evidence`,
 NULL AS `document` */;
CREATE TABLE `consume_items` (
  `template_id` varchar(255) NOT NULL,
  `resolution` varchar(64) NOT NULL,
  `position` int(11) NOT NULL,
  `credit` decimal(30,15) NOT NULL,
  PRIMARY KEY (`template_id`,`resolution`),
  CONSTRAINT `fk_consume_items_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `consume_items` VALUES ('101','480p',0,166.500000000000000);
INSERT INTO `consume_items` VALUES ('101','720p',1,355.200000000000000);
INSERT INTO `consume_items` VALUES ('102','480p',0,166.500000000000000);
INSERT INTO `consume_items` VALUES ('102','720p',1,355.200000000000000);
INSERT INTO `consume_items` VALUES ('103','480p',0,166.500000000000000);
INSERT INTO `consume_items` VALUES ('103','720p',1,355.200000000000000);
INSERT INTO `consume_items` VALUES ('104','1080p',0,123456789.012345000000000);
INSERT INTO `consume_items` VALUES ('104','4k',1,0.000000000000000);
INSERT INTO `consume_items` VALUES ('105','480p',0,166.500000000000000);
INSERT INTO `consume_items` VALUES ('105','720p',1,355.200000000000000);
INSERT INTO `consume_items` VALUES ('106','480p',0,166.500000000000000);
INSERT INTO `consume_items` VALUES ('106','720p',1,355.200000000000000);
/*!50001 CREATE VIEW `current_prices` AS SELECT
 NULL AS `template_id`,
 NULL AS `title`,
 NULL AS `title_en`,
 NULL AS `resolution`,
 NULL AS `position`,
 NULL AS `credit` */;
/*!50001 CREATE VIEW `current_templates` AS SELECT
 NULL AS `template_id`,
 NULL AS `media_id`,
 NULL AS `service_id`,
 NULL AS `title`,
 NULL AS `title_en`,
 NULL AS `cover_url`,
 NULL AS `cover_aspect_ratio`,
 NULL AS `preview_video_url`,
 NULL AS `duration_ms`,
 NULL AS `template_type`,
 NULL AS `input_requirement`,
 NULL AS `input_num`,
 NULL AS `released_at`,
 NULL AS `extra`,
 NULL AS `content_hash`,
 NULL AS `first_seen_at`,
 NULL AS `changed_at`,
 NULL AS `first_seen_run_id`,
 NULL AS `changed_run_id` */;
CREATE TABLE `held_removals` (
  `template_id` varchar(255) NOT NULL,
  `since_run_id` bigint(20) NOT NULL,
  `runs` int(11) NOT NULL,
  PRIMARY KEY (`template_id`),
  CONSTRAINT `fk_held_removals_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `held_removals` VALUES ('101',9,1);
INSERT INTO `held_removals` VALUES ('102',9,1);
INSERT INTO `held_removals` VALUES ('103',9,1);
INSERT INTO `held_removals` VALUES ('104',9,1);
INSERT INTO `held_removals` VALUES ('105',9,1);
INSERT INTO `held_removals` VALUES ('106',9,1);
/*!50001 CREATE VIEW `price_history` AS SELECT
 NULL AS `template_id`,
 NULL AS `resolution`,
 NULL AS `credit`,
 NULL AS `valid_from`,
 NULL AS `valid_until` */;
CREATE TABLE `price_periods` (
  `template_id` varchar(255) NOT NULL,
  `resolution` varchar(64) NOT NULL,
  `from_run_id` bigint(20) NOT NULL,
  `credit` decimal(30,15) NOT NULL,
  `valid_from` datetime(6) NOT NULL,
  `valid_until` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`template_id`,`resolution`,`from_run_id`),
  CONSTRAINT `fk_price_periods_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `price_periods` VALUES ('101','480p',1,166.500000000000000,'2026-11-01 12:00:01.123456','2026-11-03 12:00:01.123456');
INSERT INTO `price_periods` VALUES ('101','480p',3,170.000000000000000,'2026-11-03 12:00:01.123456','2026-11-07 12:00:01.123456');
INSERT INTO `price_periods` VALUES ('101','480p',7,166.500000000000000,'2026-11-07 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('101','720p',1,355.200000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('102','480p',1,166.500000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('102','720p',1,355.200000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('103','480p',1,166.500000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('103','720p',1,355.200000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('104','1080p',1,123456789.012345000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('104','4k',1,0.000000000000000,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('105','480p',1,166.500000000000000,'2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456');
INSERT INTO `price_periods` VALUES ('105','480p',7,166.500000000000000,'2026-11-07 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('105','720p',1,355.200000000000000,'2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456');
INSERT INTO `price_periods` VALUES ('105','720p',7,355.200000000000000,'2026-11-07 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('106','480p',3,166.500000000000000,'2026-11-03 12:00:01.123456',NULL);
INSERT INTO `price_periods` VALUES ('106','720p',3,355.200000000000000,'2026-11-03 12:00:01.123456',NULL);
CREATE TABLE `rejected_templates` (
  `run_id` bigint(20) NOT NULL,
  `ordinal` int(11) NOT NULL,
  `page` int(11) NOT NULL,
  `position` int(11) NOT NULL,
  `template_id` varchar(255) DEFAULT NULL,
  `reason` text NOT NULL,
  `payload` text NOT NULL,
  PRIMARY KEY (`run_id`,`ordinal`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `rejected_templates` VALUES (6,1,1,0,'101','Title must be a string, not a number','{\"ConsumeItems\": [{\"Credit\": 170, \"Resolution\": \"480p\"}, {\"Credit\": \"355.2\", \"Resolution\": \"720p\"}], \"Cover\": \"https://media.example/101.jpeg?x-signature=1\", \"Duration\": 10123, \"InputNum\": 1, \"MediaId\": \"m101\", \"ReleaseOnlineTime\": 1779421051, \"SupportAspectRatio\": \"9:16,1:1\", \"Tags\": [\"\\u70ed\\u95e8\", \"\\ud83d\\udd25\\u65b0\"], \"Tags_en\": [\"Trending\", \"\\ud83d\\udd25New\"], \"TemplateId\": \"101\", \"Title\": 5, \"Title_en\": \"Battle Game\"}');
INSERT INTO `rejected_templates` VALUES (6,2,1,5,'107','Duration must be a number, not a string','{\"ConsumeItems\": [{\"Credit\": \"166.5\", \"Resolution\": \"480p\"}, {\"Credit\": \"355.2\", \"Resolution\": \"720p\"}], \"Cover\": \"https://media.example/107.jpeg?x-signature=1\", \"Duration\": \"long\", \"InputNum\": 1, \"MediaId\": \"m107\", \"ReleaseOnlineTime\": 1779421051, \"SupportAspectRatio\": \"9:16,1:1\", \"Tags\": [\"\\u70ed\\u95e8\", \"\\ud83d\\udd25\\u65b0\"], \"Tags_en\": [\"Trending\", \"\\ud83d\\udd25New\"], \"TemplateId\": \"107\", \"Title\": \"\\u6218\\u6597\\u6e38\\u620f\", \"Title_en\": \"Battle Game\"}');
INSERT INTO `rejected_templates` VALUES (6,3,1,6,NULL,'TemplateId is missing or empty','{\"ConsumeItems\": [{\"Credit\": \"166.5\", \"Resolution\": \"480p\"}, {\"Credit\": \"355.2\", \"Resolution\": \"720p\"}], \"Cover\": \"https://media.example/108.jpeg?x-signature=1\", \"Duration\": 10123, \"InputNum\": 1, \"MediaId\": \"m108\", \"ReleaseOnlineTime\": 1779421051, \"SupportAspectRatio\": \"9:16,1:1\", \"Tags\": [\"\\u70ed\\u95e8\", \"\\ud83d\\udd25\\u65b0\"], \"Tags_en\": [\"Trending\", \"\\ud83d\\udd25New\"], \"Title\": \"\\u6218\\u6597\\u6e38\\u620f\", \"Title_en\": \"Battle Game\"}');
CREATE TABLE `sync_alembic_version` (
  `version_num` varchar(32) NOT NULL,
  PRIMARY KEY (`version_num`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `sync_alembic_version` VALUES ('0001');
CREATE TABLE `sync_lease` (
  `name` varchar(16) NOT NULL,
  `fence` bigint(20) NOT NULL,
  `holder` varchar(255) DEFAULT NULL,
  `process` varchar(255) DEFAULT NULL,
  `expires` double NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `sync_lease` VALUES ('sync',10,NULL,NULL,0);
CREATE TABLE `sync_runs` (
  `run_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `trigger` varchar(16) NOT NULL,
  `status` varchar(16) NOT NULL,
  `started_at` datetime(6) NOT NULL,
  `finished_at` datetime(6) DEFAULT NULL,
  `catalog_total` bigint(20) DEFAULT NULL,
  `pages` int(11) NOT NULL DEFAULT 0,
  `requests` int(11) NOT NULL DEFAULT 0,
  `retries` int(11) NOT NULL DEFAULT 0,
  `bytes` bigint(20) NOT NULL DEFAULT 0,
  `seen` int(11) NOT NULL DEFAULT 0,
  `added` int(11) NOT NULL DEFAULT 0,
  `removed` int(11) NOT NULL DEFAULT 0,
  `changed` int(11) NOT NULL DEFAULT 0,
  `unchanged` int(11) NOT NULL DEFAULT 0,
  `rejected` int(11) NOT NULL DEFAULT 0,
  `held` int(11) NOT NULL DEFAULT 0,
  `fields_appeared` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`fields_appeared`)),
  `fields_vanished` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`fields_vanished`)),
  `error_code` varchar(32) DEFAULT NULL,
  `error` text DEFAULT NULL,
  `fence` bigint(20) DEFAULT NULL,
  `holder` varchar(255) NOT NULL,
  PRIMARY KEY (`run_id`),
  UNIQUE KEY `uq_sync_runs_fence` (`fence`),
  KEY `ix_sync_runs_status_finished_at` (`status`,`finished_at`),
  CONSTRAINT `ck_sync_runs_ck_sync_runs_status` CHECK (`status` in ('running','succeeded','held','incomplete','deferred','failed','skipped','interrupted'))
) ENGINE=InnoDB AUTO_INCREMENT=11 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `sync_runs` VALUES (1,'run','succeeded','2026-11-01 12:00:00.123456','2026-11-01 12:00:01.123456',6,1,1,0,2880,6,6,0,0,0,0,0,'[\"Mood\"]',NULL,NULL,NULL,1,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (2,'run','succeeded','2026-11-02 12:00:00.123456','2026-11-02 12:00:01.123456',6,1,1,0,2880,6,0,0,0,6,0,0,NULL,NULL,NULL,NULL,2,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (3,'run','succeeded','2026-11-03 12:00:00.123456','2026-11-03 12:00:01.123456',7,1,1,0,3337,7,1,0,3,3,0,0,'[\"PreviewVideo\"]',NULL,NULL,NULL,3,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (4,'run','succeeded','2026-11-04 12:00:00.123456','2026-11-04 12:00:01.123456',5,1,3,0,2695,5,0,2,0,5,0,0,NULL,NULL,NULL,NULL,4,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (5,'run','succeeded','2026-11-05 12:00:00.123456','2026-11-05 12:00:01.123456',5,1,1,0,2452,5,0,0,1,4,0,0,NULL,'[\"Mood\"]',NULL,NULL,5,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (6,'run','succeeded','2026-11-06 12:00:00.123456','2026-11-06 12:00:01.123456',7,1,1,0,3414,6,0,0,1,3,3,0,'[\"Mood\"]',NULL,NULL,NULL,6,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (7,'run','succeeded','2026-11-07 12:00:00.123456','2026-11-07 12:00:01.123456',6,1,1,0,3123,6,1,0,1,4,0,0,'[\"Level\"]',NULL,NULL,NULL,7,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (8,'run','deferred','2026-11-08 12:00:00.123456','2026-11-08 12:00:01.123456',NULL,0,1,0,44,0,0,0,0,0,0,0,NULL,NULL,'455','The catalog is under maintenance (455). It said: no',8,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (9,'run','held','2026-11-09 12:00:00.123456','2026-11-09 12:00:01.123456',0,1,7,0,518,0,0,0,0,0,0,6,NULL,NULL,'held','6 removals are held: the catalog is empty, and that is accepted by a person only.',9,'somewhere (pid 1)');
INSERT INTO `sync_runs` VALUES (10,'run','incomplete','2026-11-10 12:00:00.123456','2026-11-10 12:00:01.123456',9,1,3,0,222,0,0,0,0,0,0,6,NULL,NULL,'unverified','The walk could not be verified: the catalog says that it has 9 templates, but served 0. What was served is stored; nothing was removed.',10,'somewhere (pid 1)');
CREATE TABLE `sync_state` (
  `name` varchar(16) NOT NULL,
  `last_seq` bigint(20) NOT NULL,
  `oldest_seq` bigint(20) NOT NULL,
  `wire_fields` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`wire_fields`)),
  `absent_fields` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`absent_fields`)),
  `unreconciled_ids` varchar(64) DEFAULT NULL,
  `unreconciled_runs` int(11) NOT NULL,
  `next_run_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `sync_state` VALUES ('sync',16,1,'[\"ConsumeItems\", \"Cover\", \"Duration\", \"InputNum\", \"Level\", \"MediaId\", \"Mood\", \"PreviewVideo\", \"ReleaseOnlineTime\", \"SupportAspectRatio\", \"Tags\", \"Tags_en\", \"TemplateId\", \"Title\", \"Title_en\"]',NULL,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',1,NULL);
/*!50001 CREATE VIEW `sync_status` AS SELECT
 NULL AS `last_attempt_at`,
 NULL AS `last_success_at`,
 NULL AS `last_change_at`,
 NULL AS `last_attempt_age_seconds`,
 NULL AS `last_success_age_seconds`,
 NULL AS `last_change_age_seconds`,
 NULL AS `present_count` */;
CREATE TABLE `tags` (
  `tag_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `name_en` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`tag_id`),
  UNIQUE KEY `uq_tags_name_name_en` (`name`,`name_en`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `tags` VALUES (4,'Hot','Hot');
INSERT INTO `tags` VALUES (7,'cafe','cafe');
INSERT INTO `tags` VALUES (6,'café','café');
INSERT INTO `tags` VALUES (3,'hot','hot');
INSERT INTO `tags` VALUES (5,'hot ','hot ');
INSERT INTO `tags` VALUES (8,'热门',NULL);
INSERT INTO `tags` VALUES (1,'热门','Trending');
INSERT INTO `tags` VALUES (9,'🔥新',NULL);
INSERT INTO `tags` VALUES (2,'🔥新','🔥New');
CREATE TABLE `template_aspect_ratios` (
  `template_id` varchar(255) NOT NULL,
  `position` int(11) NOT NULL,
  `aspect_ratio` varchar(64) NOT NULL,
  PRIMARY KEY (`template_id`,`position`),
  CONSTRAINT `fk_template_aspect_ratios_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `template_aspect_ratios` VALUES ('101',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('101',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('102',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('102',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('103',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('103',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('104',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('104',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('105',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('105',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('106',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('106',1,'1:1');
INSERT INTO `template_aspect_ratios` VALUES ('109',0,'9:16');
INSERT INTO `template_aspect_ratios` VALUES ('109',1,'1:1');
CREATE TABLE `template_changes` (
  `seq` bigint(20) NOT NULL,
  `run_id` bigint(20) NOT NULL,
  `at` datetime(6) NOT NULL,
  `template_id` varchar(255) NOT NULL,
  `kind` varchar(16) NOT NULL,
  `fields` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`fields`)),
  `evidence` varchar(16) DEFAULT NULL,
  PRIMARY KEY (`seq`),
  UNIQUE KEY `uq_template_changes_run_id_template_id` (`run_id`,`template_id`),
  KEY `ix_template_changes_template_id` (`template_id`),
  CONSTRAINT `ck_template_changes_ck_template_changes_kind` CHECK (`kind` in ('added','removed','changed'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `template_changes` VALUES (1,1,'2026-11-01 12:00:01.123456','101','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (2,1,'2026-11-01 12:00:01.123456','102','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (3,1,'2026-11-01 12:00:01.123456','103','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (4,1,'2026-11-01 12:00:01.123456','104','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (5,1,'2026-11-01 12:00:01.123456','105','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (6,1,'2026-11-01 12:00:01.123456','109','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (7,3,'2026-11-03 12:00:01.123456','106','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (8,3,'2026-11-03 12:00:01.123456','101','changed','[{\"field\": \"consume_items.480p\", \"old\": 166.5, \"new\": 170}]',NULL);
INSERT INTO `template_changes` VALUES (9,3,'2026-11-03 12:00:01.123456','102','changed','[{\"field\": \"title_en\", \"old\": \"Battle Game\", \"new\": \"Renamed\"}]',NULL);
INSERT INTO `template_changes` VALUES (10,3,'2026-11-03 12:00:01.123456','103','changed','[{\"field\": \"tags\", \"old\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"new\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}], \"gained\": [], \"lost\": [{\"name\": \"🔥新\", \"name_en\": \"🔥New\"}]}]',NULL);
INSERT INTO `template_changes` VALUES (11,4,'2026-11-04 12:00:01.123456','105','removed',NULL,'lookup');
INSERT INTO `template_changes` VALUES (12,4,'2026-11-04 12:00:01.123456','109','removed',NULL,'lookup');
INSERT INTO `template_changes` VALUES (13,5,'2026-11-05 12:00:01.123456','103','changed','[{\"field\": \"tags\", \"old\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}], \"new\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"gained\": [{\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"lost\": []}]',NULL);
INSERT INTO `template_changes` VALUES (14,6,'2026-11-06 12:00:01.123456','103','changed','[{\"field\": \"tags\", \"old\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"new\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}], \"gained\": [], \"lost\": [{\"name\": \"🔥新\", \"name_en\": \"🔥New\"}]}]',NULL);
INSERT INTO `template_changes` VALUES (15,7,'2026-11-07 12:00:01.123456','105','added',NULL,NULL);
INSERT INTO `template_changes` VALUES (16,7,'2026-11-07 12:00:01.123456','101','changed','[{\"field\": \"duration_ms\", \"old\": 10123, \"new\": 9999}, {\"field\": \"consume_items.480p\", \"old\": 170, \"new\": 166.5}]',NULL);
CREATE TABLE `template_tags` (
  `template_id` varchar(255) NOT NULL,
  `position` int(11) NOT NULL,
  `tag_id` int(11) NOT NULL,
  PRIMARY KEY (`template_id`,`position`),
  KEY `ix_template_tags_tag_id` (`tag_id`),
  CONSTRAINT `fk_template_tags_tag_id` FOREIGN KEY (`tag_id`) REFERENCES `tags` (`tag_id`),
  CONSTRAINT `fk_template_tags_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `template_tags` VALUES ('101',0,1);
INSERT INTO `template_tags` VALUES ('102',0,1);
INSERT INTO `template_tags` VALUES ('103',0,1);
INSERT INTO `template_tags` VALUES ('105',0,1);
INSERT INTO `template_tags` VALUES ('106',0,1);
INSERT INTO `template_tags` VALUES ('101',1,2);
INSERT INTO `template_tags` VALUES ('102',1,2);
INSERT INTO `template_tags` VALUES ('105',1,2);
INSERT INTO `template_tags` VALUES ('106',1,2);
INSERT INTO `template_tags` VALUES ('104',0,3);
INSERT INTO `template_tags` VALUES ('104',1,4);
INSERT INTO `template_tags` VALUES ('104',2,5);
INSERT INTO `template_tags` VALUES ('104',3,6);
INSERT INTO `template_tags` VALUES ('104',4,7);
INSERT INTO `template_tags` VALUES ('109',0,8);
INSERT INTO `template_tags` VALUES ('109',1,9);
CREATE TABLE `template_versions` (
  `template_id` varchar(255) NOT NULL,
  `from_run_id` bigint(20) NOT NULL,
  `until_run_id` bigint(20) DEFAULT NULL,
  `document` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(`document`)),
  `content_hash` varchar(64) NOT NULL,
  PRIMARY KEY (`template_id`,`from_run_id`),
  CONSTRAINT `fk_template_versions_template_id` FOREIGN KEY (`template_id`) REFERENCES `templates` (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `template_versions` VALUES ('101',1,3,'{\"template_id\": \"101\", \"media_id\": \"m101\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/101.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {}}','571d120eb1b7d5637525a1894e633de89ef5937680ad30f67ee9564f6bcd5325');
INSERT INTO `template_versions` VALUES ('101',3,7,'{\"template_id\": \"101\", \"media_id\": \"m101\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/101.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 170}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {}}','5f3661c38f5cd638d8d2c6a81f0135d90fdb2b3779df9b68d75b5318fb971364');
INSERT INTO `template_versions` VALUES ('101',7,NULL,'{\"template_id\": \"101\", \"media_id\": \"m101\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/101.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 9999, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Level\": {\"min\": 1}}}','3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4');
INSERT INTO `template_versions` VALUES ('102',1,3,'{\"template_id\": \"102\", \"media_id\": \"m102\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/102.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {}}','3d75fccec0ab35b16e4ef4a4f80fb1df450e7a8d925fd25f228d5883fa2ae4c3');
INSERT INTO `template_versions` VALUES ('102',3,NULL,'{\"template_id\": \"102\", \"media_id\": \"m102\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Renamed\", \"cover_url\": \"https://media.example/102.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Level\": {\"min\": 1}}}','622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5');
INSERT INTO `template_versions` VALUES ('103',1,3,'{\"template_id\": \"103\", \"media_id\": \"m103\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/103.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Mood\": \"calm\"}}','a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO `template_versions` VALUES ('103',3,5,'{\"template_id\": \"103\", \"media_id\": \"m103\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/103.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Mood\": \"calm\"}}','2033dc4c955b2f09bd9faa8bf302371354a6c8d74d91bc960c6374a96a9c8084');
INSERT INTO `template_versions` VALUES ('103',5,6,'{\"template_id\": \"103\", \"media_id\": \"m103\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/103.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Mood\": \"calm\"}}','a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO `template_versions` VALUES ('103',6,NULL,'{\"template_id\": \"103\", \"media_id\": \"m103\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/103.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Mood\": \"calm\", \"Level\": {\"min\": 1}}}','050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461');
INSERT INTO `template_versions` VALUES ('104',1,NULL,'{\"template_id\": \"104\", \"media_id\": \"m104\", \"service_id\": null, \"title\": \"O\'Brien; \\\"50 %\\\" \\\\ back — naïve Ünïcode 👩‍👩‍👧\", \"title_en\": \"  spaces at both ends  \", \"cover_url\": null, \"cover_aspect_ratio\": null, \"preview_video_url\": \"https://media.example/preview.mp4?x-signature=2\", \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": null, \"released_at\": null, \"consume_items\": [{\"resolution\": \"1080p\", \"credit\": 123456789.012345}, {\"resolution\": \"4k\", \"credit\": 0}], \"tags\": [{\"name\": \"hot\", \"name_en\": \"hot\"}, {\"name\": \"Hot\", \"name_en\": \"Hot\"}, {\"name\": \"hot \", \"name_en\": \"hot \"}, {\"name\": \"café\", \"name_en\": \"café\"}, {\"name\": \"cafe\", \"name_en\": \"cafe\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Mood\": {\"level\": [1, 2.5, 10000000000000000000000, -7], \"on\": true, \"off\": false, \"none\": null, \"url\": \"https://media.example/x?sig=1\"}, \"Level\": {\"min\": 1}}}','78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f');
INSERT INTO `template_versions` VALUES ('105',1,4,'{\"template_id\": \"105\", \"media_id\": \"m105\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/105.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {}}','2230b7489fa9bc80abdc7f27b898743b18eb42c3ac4b05dd14f2a67cb964046b');
INSERT INTO `template_versions` VALUES ('105',7,NULL,'{\"template_id\": \"105\", \"media_id\": \"m105\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Back again\", \"cover_url\": \"https://media.example/105.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Level\": {\"min\": 2}}}','b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0');
INSERT INTO `template_versions` VALUES ('106',3,NULL,'{\"template_id\": \"106\", \"media_id\": null, \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/106.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [{\"resolution\": \"480p\", \"credit\": 166.5}, {\"resolution\": \"720p\", \"credit\": 355.2}], \"tags\": [{\"name\": \"热门\", \"name_en\": \"Trending\"}, {\"name\": \"🔥新\", \"name_en\": \"🔥New\"}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {\"Level\": null}}','5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06');
INSERT INTO `template_versions` VALUES ('109',1,4,'{\"template_id\": \"109\", \"media_id\": \"m109\", \"service_id\": null, \"title\": \"战斗游戏\", \"title_en\": \"Battle Game\", \"cover_url\": \"https://media.example/109.jpeg?x-signature=1\", \"cover_aspect_ratio\": null, \"preview_video_url\": null, \"duration_ms\": 10123, \"template_type\": null, \"input_requirement\": null, \"input_num\": 1, \"released_at\": \"2026-05-22T03:37:31Z\", \"consume_items\": [], \"tags\": [{\"name\": \"热门\", \"name_en\": null}, {\"name\": \"🔥新\", \"name_en\": null}], \"aspect_ratios\": [\"9:16\", \"1:1\"], \"extra\": {}}','384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca');
CREATE TABLE `templates` (
  `template_id` varchar(255) NOT NULL,
  `media_id` varchar(255) DEFAULT NULL,
  `service_id` varchar(255) DEFAULT NULL,
  `title` text DEFAULT NULL,
  `title_en` text DEFAULT NULL,
  `cover_url` text DEFAULT NULL,
  `cover_aspect_ratio` varchar(64) DEFAULT NULL,
  `preview_video_url` text DEFAULT NULL,
  `duration_ms` bigint(20) DEFAULT NULL,
  `template_type` varchar(255) DEFAULT NULL,
  `input_requirement` text DEFAULT NULL,
  `input_num` int(11) DEFAULT NULL,
  `released_at` datetime(6) DEFAULT NULL,
  `extra` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(`extra`)),
  `content_hash` varchar(64) NOT NULL,
  `fingerprint` varchar(64) NOT NULL,
  `first_seen_at` datetime(6) NOT NULL,
  `changed_at` datetime(6) NOT NULL,
  `removed_at` datetime(6) DEFAULT NULL,
  `first_seen_run_id` bigint(20) NOT NULL,
  `changed_run_id` bigint(20) NOT NULL,
  `removed_run_id` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`template_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO `templates` VALUES ('101','m101',NULL,'战斗游戏','Battle Game','https://media.example/101.jpeg?x-signature=1',NULL,NULL,9999,NULL,NULL,1,'2026-05-22 03:37:31.000000','{\"Level\": {\"min\": 1}}','3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4','46b9e711909ba97d2820014bd901193e0f489fe08b3165d1135f62cfcf780122','2026-11-01 12:00:01.123456','2026-11-07 12:00:01.123456',NULL,1,7,NULL);
INSERT INTO `templates` VALUES ('102','m102',NULL,'战斗游戏','Renamed','https://media.example/102.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{\"Level\": {\"min\": 1}}','622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5','dd763d2d5c492019ee08104e5de0845b4a65909b900b2159ea09906efcd00bdb','2026-11-01 12:00:01.123456','2026-11-03 12:00:01.123456',NULL,1,3,NULL);
INSERT INTO `templates` VALUES ('103','m103',NULL,'战斗游戏','Battle Game','https://media.example/103.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{\"Mood\": \"calm\", \"Level\": {\"min\": 1}}','050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461','b3730b53c1201d57227505e94c33bfa0ea24d82792a58a92a10d92cba23b1a6c','2026-11-01 12:00:01.123456','2026-11-06 12:00:01.123456',NULL,1,6,NULL);
INSERT INTO `templates` VALUES ('104','m104',NULL,'O\'Brien; \"50 %\" \\ back — naïve Ünïcode 👩‍👩‍👧','  spaces at both ends  ',NULL,NULL,'https://media.example/preview.mp4?x-signature=2',10123,NULL,NULL,NULL,NULL,'{\"Mood\": {\"level\": [1, 2.5, 10000000000000000000000, -7], \"on\": true, \"off\": false, \"none\": null, \"url\": \"https://media.example/x?sig=1\"}, \"Level\": {\"min\": 1}}','78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f','4af5e2b48777fb936248b4cafd633bfdee9ff894f243d5c980b0e194edc2d35b','2026-11-01 12:00:01.123456','2026-11-01 12:00:01.123456',NULL,1,1,NULL);
INSERT INTO `templates` VALUES ('105','m105',NULL,'战斗游戏','Back again','https://media.example/105.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{\"Level\": {\"min\": 2}}','b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0','ca26bc1f02d49ba2bd46b80b3668397e9645e9e249d697aa1b300973099ac38b','2026-11-01 12:00:01.123456','2026-11-07 12:00:01.123456',NULL,1,7,NULL);
INSERT INTO `templates` VALUES ('106',NULL,NULL,'战斗游戏','Battle Game','https://media.example/106.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{\"Level\": null}','5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06','e0a6ae203946ad8a5a02dca9b26c0d6a71ea08bf0873d414370ecb3606b74351','2026-11-03 12:00:01.123456','2026-11-03 12:00:01.123456',NULL,3,3,NULL);
INSERT INTO `templates` VALUES ('109','m109',NULL,'战斗游戏','Battle Game','https://media.example/109.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{}','384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca','30ff223c63545d3c82f8b0f1dd548cceea6d46a086d2fd4be11cb1db7b794e8b','2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456','2026-11-04 12:00:01.123456',1,4,4);
/*!50001 DROP VIEW IF EXISTS `change_feed`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW `change_feed` AS select `c`.`seq` AS `seq`,`c`.`run_id` AS `run_id`,`c`.`at` AS `at`,`c`.`template_id` AS `template_id`,`c`.`kind` AS `kind`,`c`.`fields` AS `fields`,`c`.`evidence` AS `evidence`,`v`.`document` AS `document` from (`template_changes` `c` left join `template_versions` `v` on(`v`.`template_id` = `c`.`template_id` and `v`.`from_run_id` = `c`.`run_id` and `c`.`kind` <> 'removed')) */;
/*!50001 DROP VIEW IF EXISTS `current_prices`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW `current_prices` AS select `p`.`template_id` AS `template_id`,`t`.`title` AS `title`,`t`.`title_en` AS `title_en`,`p`.`resolution` AS `resolution`,`p`.`position` AS `position`,`p`.`credit` AS `credit` from (`consume_items` `p` join `templates` `t` on(`t`.`template_id` = `p`.`template_id`)) where `t`.`removed_at` is null */;
/*!50001 DROP VIEW IF EXISTS `current_templates`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW `current_templates` AS select `templates`.`template_id` AS `template_id`,`templates`.`media_id` AS `media_id`,`templates`.`service_id` AS `service_id`,`templates`.`title` AS `title`,`templates`.`title_en` AS `title_en`,`templates`.`cover_url` AS `cover_url`,`templates`.`cover_aspect_ratio` AS `cover_aspect_ratio`,`templates`.`preview_video_url` AS `preview_video_url`,`templates`.`duration_ms` AS `duration_ms`,`templates`.`template_type` AS `template_type`,`templates`.`input_requirement` AS `input_requirement`,`templates`.`input_num` AS `input_num`,`templates`.`released_at` AS `released_at`,`templates`.`extra` AS `extra`,`templates`.`content_hash` AS `content_hash`,`templates`.`first_seen_at` AS `first_seen_at`,`templates`.`changed_at` AS `changed_at`,`templates`.`first_seen_run_id` AS `first_seen_run_id`,`templates`.`changed_run_id` AS `changed_run_id` from `templates` where `templates`.`removed_at` is null */;
/*!50001 DROP VIEW IF EXISTS `price_history`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW `price_history` AS select `price_periods`.`template_id` AS `template_id`,`price_periods`.`resolution` AS `resolution`,`price_periods`.`credit` AS `credit`,`price_periods`.`valid_from` AS `valid_from`,`price_periods`.`valid_until` AS `valid_until` from `price_periods` */;
/*!50001 DROP VIEW IF EXISTS `sync_status`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 SQL SECURITY DEFINER */
/*!50001 VIEW `sync_status` AS select `moments`.`last_attempt_at` AS `last_attempt_at`,`moments`.`last_success_at` AS `last_success_at`,`moments`.`last_change_at` AS `last_change_at`,timestampdiff(MICROSECOND,`moments`.`last_attempt_at`,utc_timestamp(6)) / 1000000.0 AS `last_attempt_age_seconds`,timestampdiff(MICROSECOND,`moments`.`last_success_at`,utc_timestamp(6)) / 1000000.0 AS `last_success_age_seconds`,timestampdiff(MICROSECOND,`moments`.`last_change_at`,utc_timestamp(6)) / 1000000.0 AS `last_change_age_seconds`,(select count(0) from `templates` where `templates`.`removed_at` is null) AS `present_count` from (select (select max(`sync_runs`.`started_at`) from `sync_runs`) AS `last_attempt_at`,(select max(`sync_runs`.`finished_at`) from `sync_runs` where `sync_runs`.`status` = 'succeeded' and `sync_runs`.`pages` > 0) AS `last_success_at`,(select max(`templates`.`changed_at`) from `templates`) AS `last_change_at`) `moments` */;
