BEGIN TRANSACTION;
CREATE TABLE consume_items (
	template_id VARCHAR(255) NOT NULL, 
	resolution VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	credit DOUBLE NOT NULL, 
	CONSTRAINT pk_consume_items PRIMARY KEY (template_id, resolution), 
	CONSTRAINT fk_consume_items_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "consume_items" VALUES('105','480p',0,166.5);
INSERT INTO "consume_items" VALUES('105','720p',1,355.2);
INSERT INTO "consume_items" VALUES('101','480p',0,166.5);
INSERT INTO "consume_items" VALUES('101','720p',1,355.2);
INSERT INTO "consume_items" VALUES('102','480p',0,166.5);
INSERT INTO "consume_items" VALUES('102','720p',1,355.2);
INSERT INTO "consume_items" VALUES('103','480p',0,166.5);
INSERT INTO "consume_items" VALUES('103','720p',1,355.2);
INSERT INTO "consume_items" VALUES('104','1080p',0,123456789.012345);
INSERT INTO "consume_items" VALUES('104','4k',1,0.0);
INSERT INTO "consume_items" VALUES('106','480p',0,166.5);
INSERT INTO "consume_items" VALUES('106','720p',1,355.2);
CREATE TABLE held_removals (
	template_id VARCHAR(255) NOT NULL, 
	since_run_id BIGINT NOT NULL, 
	runs INTEGER NOT NULL, 
	CONSTRAINT pk_held_removals PRIMARY KEY (template_id), 
	CONSTRAINT fk_held_removals_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "held_removals" VALUES('101',9,1);
INSERT INTO "held_removals" VALUES('102',9,1);
INSERT INTO "held_removals" VALUES('103',9,1);
INSERT INTO "held_removals" VALUES('104',9,1);
INSERT INTO "held_removals" VALUES('105',9,1);
INSERT INTO "held_removals" VALUES('106',9,1);
CREATE TABLE price_periods (
	template_id VARCHAR(255) NOT NULL, 
	resolution VARCHAR(64) NOT NULL, 
	from_run_id BIGINT NOT NULL, 
	credit DOUBLE NOT NULL, 
	valid_from DATETIME NOT NULL, 
	valid_until DATETIME, 
	CONSTRAINT pk_price_periods PRIMARY KEY (template_id, resolution, from_run_id), 
	CONSTRAINT fk_price_periods_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "price_periods" VALUES('101','480p',1,166.5,'2026-11-01 12:00:01.123456','2026-11-03 12:00:01.123456');
INSERT INTO "price_periods" VALUES('101','720p',1,355.2,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('102','480p',1,166.5,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('102','720p',1,355.2,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('103','480p',1,166.5,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('103','720p',1,355.2,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('104','1080p',1,123456789.012345,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('104','4k',1,0.0,'2026-11-01 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('105','480p',1,166.5,'2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456');
INSERT INTO "price_periods" VALUES('105','720p',1,355.2,'2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456');
INSERT INTO "price_periods" VALUES('106','480p',3,166.5,'2026-11-03 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('106','720p',3,355.2,'2026-11-03 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('101','480p',3,170.0,'2026-11-03 12:00:01.123456','2026-11-07 12:00:01.123456');
INSERT INTO "price_periods" VALUES('105','480p',7,166.5,'2026-11-07 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('105','720p',7,355.2,'2026-11-07 12:00:01.123456',NULL);
INSERT INTO "price_periods" VALUES('101','480p',7,166.5,'2026-11-07 12:00:01.123456',NULL);
CREATE TABLE rejected_templates (
	run_id BIGINT NOT NULL, 
	ordinal INTEGER NOT NULL, 
	page INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	template_id VARCHAR(255), 
	reason TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	CONSTRAINT pk_rejected_templates PRIMARY KEY (run_id, ordinal)
);
INSERT INTO "rejected_templates" VALUES(6,1,1,0,'101','Title must be a string, not a number','{"ConsumeItems": [{"Credit": 170, "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/101.jpeg?x-signature=1", "Duration": 10123, "InputNum": 1, "MediaId": "m101", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "TemplateId": "101", "Title": 5, "Title_en": "Battle Game"}');
INSERT INTO "rejected_templates" VALUES(6,2,1,5,'107','Duration must be a number, not a string','{"ConsumeItems": [{"Credit": "166.5", "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/107.jpeg?x-signature=1", "Duration": "long", "InputNum": 1, "MediaId": "m107", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "TemplateId": "107", "Title": "\u6218\u6597\u6e38\u620f", "Title_en": "Battle Game"}');
INSERT INTO "rejected_templates" VALUES(6,3,1,6,NULL,'TemplateId is missing or empty','{"ConsumeItems": [{"Credit": "166.5", "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/108.jpeg?x-signature=1", "Duration": 10123, "InputNum": 1, "MediaId": "m108", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "Title": "\u6218\u6597\u6e38\u620f", "Title_en": "Battle Game"}');
CREATE TABLE sync_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sync_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "sync_alembic_version" VALUES('0001');
CREATE TABLE sync_lease (
	name VARCHAR(16) NOT NULL, 
	fence BIGINT NOT NULL, 
	holder VARCHAR(255), 
	process VARCHAR(255), 
	expires DOUBLE NOT NULL, 
	CONSTRAINT pk_sync_lease PRIMARY KEY (name)
);
INSERT INTO "sync_lease" VALUES('sync',10,NULL,NULL,0.0);
CREATE TABLE sync_runs (
	run_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"trigger" VARCHAR(16) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	catalog_total BIGINT, 
	pages INTEGER DEFAULT '0' NOT NULL, 
	requests INTEGER DEFAULT '0' NOT NULL, 
	retries INTEGER DEFAULT '0' NOT NULL, 
	bytes BIGINT DEFAULT '0' NOT NULL, 
	seen INTEGER DEFAULT '0' NOT NULL, 
	added INTEGER DEFAULT '0' NOT NULL, 
	removed INTEGER DEFAULT '0' NOT NULL, 
	changed INTEGER DEFAULT '0' NOT NULL, 
	unchanged INTEGER DEFAULT '0' NOT NULL, 
	rejected INTEGER DEFAULT '0' NOT NULL, 
	held INTEGER DEFAULT '0' NOT NULL, 
	fields_appeared JSON, 
	fields_vanished JSON, 
	error_code VARCHAR(32), 
	error TEXT, 
	fence BIGINT, 
	holder VARCHAR(255) NOT NULL, 
	CONSTRAINT uq_sync_runs_fence UNIQUE (fence), 
	CONSTRAINT ck_sync_runs_ck_sync_runs_status CHECK (status in ('running', 'succeeded', 'held', 'incomplete', 'deferred', 'failed', 'skipped', 'interrupted'))
);
INSERT INTO "sync_runs" VALUES(1,'run','succeeded','2026-11-01 12:00:00.123456','2026-11-01 12:00:01.123456',6,1,1,0,2880,6,6,0,0,0,0,0,'["Mood"]',NULL,NULL,NULL,1,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(2,'run','succeeded','2026-11-02 12:00:00.123456','2026-11-02 12:00:01.123456',6,1,1,0,2880,6,0,0,0,6,0,0,NULL,NULL,NULL,NULL,2,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(3,'run','succeeded','2026-11-03 12:00:00.123456','2026-11-03 12:00:01.123456',7,1,1,0,3337,7,1,0,3,3,0,0,'["PreviewVideo"]',NULL,NULL,NULL,3,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(4,'run','succeeded','2026-11-04 12:00:00.123456','2026-11-04 12:00:01.123456',5,1,3,0,2695,5,0,2,0,5,0,0,NULL,NULL,NULL,NULL,4,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(5,'run','succeeded','2026-11-05 12:00:00.123456','2026-11-05 12:00:01.123456',5,1,1,0,2452,5,0,0,1,4,0,0,NULL,'["Mood"]',NULL,NULL,5,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(6,'run','succeeded','2026-11-06 12:00:00.123456','2026-11-06 12:00:01.123456',7,1,1,0,3414,6,0,0,1,3,3,0,'["Mood"]',NULL,NULL,NULL,6,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(7,'run','succeeded','2026-11-07 12:00:00.123456','2026-11-07 12:00:01.123456',6,1,1,0,3123,6,1,0,1,4,0,0,'["Level"]',NULL,NULL,NULL,7,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(8,'run','deferred','2026-11-08 12:00:00.123456','2026-11-08 12:00:01.123456',NULL,0,1,0,44,0,0,0,0,0,0,0,NULL,NULL,'455','The catalog is under maintenance (455). It said: no',8,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(9,'run','held','2026-11-09 12:00:00.123456','2026-11-09 12:00:01.123456',0,1,7,0,518,0,0,0,0,0,0,6,NULL,NULL,'held','6 removals are held: the catalog is empty, and that is accepted by a person only.',9,'somewhere (pid 1)');
INSERT INTO "sync_runs" VALUES(10,'run','incomplete','2026-11-10 12:00:00.123456','2026-11-10 12:00:01.123456',9,1,3,0,222,0,0,0,0,0,0,6,NULL,NULL,'unverified','The walk could not be verified: the catalog says that it has 9 templates, but served 0. What was served is stored; nothing was removed.',10,'somewhere (pid 1)');
CREATE TABLE sync_state (
	name VARCHAR(16) NOT NULL, 
	last_seq BIGINT NOT NULL, 
	oldest_seq BIGINT NOT NULL, 
	wire_fields JSON, 
	absent_fields JSON, 
	unreconciled_ids VARCHAR(64), 
	unreconciled_runs INTEGER NOT NULL, 
	next_run_at DATETIME, 
	CONSTRAINT pk_sync_state PRIMARY KEY (name)
);
INSERT INTO "sync_state" VALUES('sync',16,1,'["ConsumeItems", "Cover", "Duration", "InputNum", "Level", "MediaId", "Mood", "PreviewVideo", "ReleaseOnlineTime", "SupportAspectRatio", "Tags", "Tags_en", "TemplateId", "Title", "Title_en"]',NULL,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',1,NULL);
CREATE TABLE tags (
	tag_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	name_en VARCHAR(255), 
	CONSTRAINT pk_tags PRIMARY KEY (tag_id), 
	CONSTRAINT uq_tags_name_name_en UNIQUE (name, name_en)
);
INSERT INTO "tags" VALUES(1,'热门','Trending');
INSERT INTO "tags" VALUES(2,'🔥新','🔥New');
INSERT INTO "tags" VALUES(3,'hot','hot');
INSERT INTO "tags" VALUES(4,'Hot','Hot');
INSERT INTO "tags" VALUES(5,'hot ','hot ');
INSERT INTO "tags" VALUES(6,'café','café');
INSERT INTO "tags" VALUES(7,'cafe','cafe');
INSERT INTO "tags" VALUES(8,'热门',NULL);
INSERT INTO "tags" VALUES(9,'🔥新',NULL);
CREATE TABLE template_aspect_ratios (
	template_id VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	aspect_ratio VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_template_aspect_ratios PRIMARY KEY (template_id, position), 
	CONSTRAINT fk_template_aspect_ratios_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "template_aspect_ratios" VALUES('109',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('109',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('105',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('105',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('101',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('101',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('102',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('102',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('103',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('103',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('104',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('104',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('106',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('106',1,'1:1');
CREATE TABLE template_changes (
	seq BIGINT NOT NULL, 
	run_id BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	template_id VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	fields JSON, 
	evidence VARCHAR(16), 
	CONSTRAINT pk_template_changes PRIMARY KEY (seq), 
	CONSTRAINT uq_template_changes_run_id_template_id UNIQUE (run_id, template_id), 
	CONSTRAINT ck_template_changes_ck_template_changes_kind CHECK (kind in ('added', 'removed', 'changed'))
);
INSERT INTO "template_changes" VALUES(1,1,'2026-11-01 12:00:01.123456','101','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(2,1,'2026-11-01 12:00:01.123456','102','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(3,1,'2026-11-01 12:00:01.123456','103','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(4,1,'2026-11-01 12:00:01.123456','104','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(5,1,'2026-11-01 12:00:01.123456','105','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(6,1,'2026-11-01 12:00:01.123456','109','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(7,3,'2026-11-03 12:00:01.123456','106','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(8,3,'2026-11-03 12:00:01.123456','101','changed','[{"field": "consume_items.480p", "old": 166.5, "new": 170}]',NULL);
INSERT INTO "template_changes" VALUES(9,3,'2026-11-03 12:00:01.123456','102','changed','[{"field": "title_en", "old": "Battle Game", "new": "Renamed"}]',NULL);
INSERT INTO "template_changes" VALUES(10,3,'2026-11-03 12:00:01.123456','103','changed','[{"field": "tags", "old": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "new": [{"name": "热门", "name_en": "Trending"}], "gained": [], "lost": [{"name": "🔥新", "name_en": "🔥New"}]}]',NULL);
INSERT INTO "template_changes" VALUES(11,4,'2026-11-04 12:00:01.123456','105','removed',NULL,'lookup');
INSERT INTO "template_changes" VALUES(12,4,'2026-11-04 12:00:01.123456','109','removed',NULL,'lookup');
INSERT INTO "template_changes" VALUES(13,5,'2026-11-05 12:00:01.123456','103','changed','[{"field": "tags", "old": [{"name": "热门", "name_en": "Trending"}], "new": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "gained": [{"name": "🔥新", "name_en": "🔥New"}], "lost": []}]',NULL);
INSERT INTO "template_changes" VALUES(14,6,'2026-11-06 12:00:01.123456','103','changed','[{"field": "tags", "old": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "new": [{"name": "热门", "name_en": "Trending"}], "gained": [], "lost": [{"name": "🔥新", "name_en": "🔥New"}]}]',NULL);
INSERT INTO "template_changes" VALUES(15,7,'2026-11-07 12:00:01.123456','105','added',NULL,NULL);
INSERT INTO "template_changes" VALUES(16,7,'2026-11-07 12:00:01.123456','101','changed','[{"field": "duration_ms", "old": 10123, "new": 9999}, {"field": "consume_items.480p", "old": 170, "new": 166.5}]',NULL);
CREATE TABLE template_tags (
	template_id VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	tag_id INTEGER NOT NULL, 
	CONSTRAINT pk_template_tags PRIMARY KEY (template_id, position), 
	CONSTRAINT fk_template_tags_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id), 
	CONSTRAINT fk_template_tags_tag_id FOREIGN KEY(tag_id) REFERENCES tags (tag_id)
);
INSERT INTO "template_tags" VALUES('109',0,8);
INSERT INTO "template_tags" VALUES('109',1,9);
INSERT INTO "template_tags" VALUES('105',0,1);
INSERT INTO "template_tags" VALUES('105',1,2);
INSERT INTO "template_tags" VALUES('101',0,1);
INSERT INTO "template_tags" VALUES('101',1,2);
INSERT INTO "template_tags" VALUES('102',0,1);
INSERT INTO "template_tags" VALUES('102',1,2);
INSERT INTO "template_tags" VALUES('103',0,1);
INSERT INTO "template_tags" VALUES('104',0,3);
INSERT INTO "template_tags" VALUES('104',1,4);
INSERT INTO "template_tags" VALUES('104',2,5);
INSERT INTO "template_tags" VALUES('104',3,6);
INSERT INTO "template_tags" VALUES('104',4,7);
INSERT INTO "template_tags" VALUES('106',0,1);
INSERT INTO "template_tags" VALUES('106',1,2);
CREATE TABLE template_versions (
	template_id VARCHAR(255) NOT NULL, 
	from_run_id BIGINT NOT NULL, 
	until_run_id BIGINT, 
	document JSON NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_template_versions PRIMARY KEY (template_id, from_run_id), 
	CONSTRAINT fk_template_versions_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "template_versions" VALUES('101',1,3,'{"template_id": "101", "media_id": "m101", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {}}','571d120eb1b7d5637525a1894e633de89ef5937680ad30f67ee9564f6bcd5325');
INSERT INTO "template_versions" VALUES('102',1,3,'{"template_id": "102", "media_id": "m102", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/102.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {}}','3d75fccec0ab35b16e4ef4a4f80fb1df450e7a8d925fd25f228d5883fa2ae4c3');
INSERT INTO "template_versions" VALUES('103',1,3,'{"template_id": "103", "media_id": "m103", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Mood": "calm"}}','a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO "template_versions" VALUES('104',1,NULL,'{"template_id": "104", "media_id": "m104", "service_id": null, "title": "O''Brien; \"50 %\" \\ back — naïve Ünïcode 👩‍👩‍👧", "title_en": "  spaces at both ends  ", "cover_url": null, "cover_aspect_ratio": null, "preview_video_url": "https://media.example/preview.mp4?x-signature=2", "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": null, "released_at": null, "consume_items": [{"resolution": "1080p", "credit": 123456789.012345}, {"resolution": "4k", "credit": 0}], "tags": [{"name": "hot", "name_en": "hot"}, {"name": "Hot", "name_en": "Hot"}, {"name": "hot ", "name_en": "hot "}, {"name": "café", "name_en": "café"}, {"name": "cafe", "name_en": "cafe"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Mood": {"level": [1, 2.5, 10000000000000000000000, -7], "on": true, "off": false, "none": null, "url": "https://media.example/x?sig=1"}, "Level": {"min": 1}}}','78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f');
INSERT INTO "template_versions" VALUES('105',1,4,'{"template_id": "105", "media_id": "m105", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/105.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {}}','2230b7489fa9bc80abdc7f27b898743b18eb42c3ac4b05dd14f2a67cb964046b');
INSERT INTO "template_versions" VALUES('109',1,4,'{"template_id": "109", "media_id": "m109", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/109.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [], "tags": [{"name": "热门", "name_en": null}, {"name": "🔥新", "name_en": null}], "aspect_ratios": ["9:16", "1:1"], "extra": {}}','384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca');
INSERT INTO "template_versions" VALUES('106',3,NULL,'{"template_id": "106", "media_id": null, "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/106.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Level": null}}','5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06');
INSERT INTO "template_versions" VALUES('101',3,7,'{"template_id": "101", "media_id": "m101", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 170}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {}}','5f3661c38f5cd638d8d2c6a81f0135d90fdb2b3779df9b68d75b5318fb971364');
INSERT INTO "template_versions" VALUES('102',3,NULL,'{"template_id": "102", "media_id": "m102", "service_id": null, "title": "战斗游戏", "title_en": "Renamed", "cover_url": "https://media.example/102.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Level": {"min": 1}}}','622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5');
INSERT INTO "template_versions" VALUES('103',3,5,'{"template_id": "103", "media_id": "m103", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Mood": "calm"}}','2033dc4c955b2f09bd9faa8bf302371354a6c8d74d91bc960c6374a96a9c8084');
INSERT INTO "template_versions" VALUES('103',5,6,'{"template_id": "103", "media_id": "m103", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Mood": "calm"}}','a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO "template_versions" VALUES('103',6,NULL,'{"template_id": "103", "media_id": "m103", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Mood": "calm", "Level": {"min": 1}}}','050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461');
INSERT INTO "template_versions" VALUES('105',7,NULL,'{"template_id": "105", "media_id": "m105", "service_id": null, "title": "战斗游戏", "title_en": "Back again", "cover_url": "https://media.example/105.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 10123, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Level": {"min": 2}}}','b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0');
INSERT INTO "template_versions" VALUES('101',7,NULL,'{"template_id": "101", "media_id": "m101", "service_id": null, "title": "战斗游戏", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "cover_aspect_ratio": null, "preview_video_url": null, "duration_ms": 9999, "template_type": null, "input_requirement": null, "input_num": 1, "released_at": "2026-05-22T03:37:31Z", "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}], "tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "aspect_ratios": ["9:16", "1:1"], "extra": {"Level": {"min": 1}}}','3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4');
CREATE TABLE templates (
	template_id VARCHAR(255) NOT NULL, 
	media_id VARCHAR(255), 
	service_id VARCHAR(255), 
	title TEXT, 
	title_en TEXT, 
	cover_url TEXT, 
	cover_aspect_ratio VARCHAR(64), 
	preview_video_url TEXT, 
	duration_ms BIGINT, 
	template_type VARCHAR(255), 
	input_requirement TEXT, 
	input_num INTEGER, 
	released_at DATETIME, 
	extra JSON NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	removed_at DATETIME, 
	first_seen_run_id BIGINT NOT NULL, 
	changed_run_id BIGINT NOT NULL, 
	removed_run_id BIGINT, 
	CONSTRAINT pk_templates PRIMARY KEY (template_id)
);
INSERT INTO "templates" VALUES('101','m101',NULL,'战斗游戏','Battle Game','https://media.example/101.jpeg?x-signature=1',NULL,NULL,9999,NULL,NULL,1,'2026-05-22 03:37:31.000000','{"Level": {"min": 1}}','3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4','46b9e711909ba97d2820014bd901193e0f489fe08b3165d1135f62cfcf780122','2026-11-01 12:00:01.123456','2026-11-07 12:00:01.123456',NULL,1,7,NULL);
INSERT INTO "templates" VALUES('102','m102',NULL,'战斗游戏','Renamed','https://media.example/102.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{"Level": {"min": 1}}','622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5','dd763d2d5c492019ee08104e5de0845b4a65909b900b2159ea09906efcd00bdb','2026-11-01 12:00:01.123456','2026-11-03 12:00:01.123456',NULL,1,3,NULL);
INSERT INTO "templates" VALUES('103','m103',NULL,'战斗游戏','Battle Game','https://media.example/103.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{"Mood": "calm", "Level": {"min": 1}}','050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461','b3730b53c1201d57227505e94c33bfa0ea24d82792a58a92a10d92cba23b1a6c','2026-11-01 12:00:01.123456','2026-11-06 12:00:01.123456',NULL,1,6,NULL);
INSERT INTO "templates" VALUES('104','m104',NULL,'O''Brien; "50 %" \ back — naïve Ünïcode 👩‍👩‍👧','  spaces at both ends  ',NULL,NULL,'https://media.example/preview.mp4?x-signature=2',10123,NULL,NULL,NULL,NULL,'{"Mood": {"level": [1, 2.5, 10000000000000000000000, -7], "on": true, "off": false, "none": null, "url": "https://media.example/x?sig=1"}, "Level": {"min": 1}}','78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f','4af5e2b48777fb936248b4cafd633bfdee9ff894f243d5c980b0e194edc2d35b','2026-11-01 12:00:01.123456','2026-11-01 12:00:01.123456',NULL,1,1,NULL);
INSERT INTO "templates" VALUES('105','m105',NULL,'战斗游戏','Back again','https://media.example/105.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{"Level": {"min": 2}}','b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0','ca26bc1f02d49ba2bd46b80b3668397e9645e9e249d697aa1b300973099ac38b','2026-11-01 12:00:01.123456','2026-11-07 12:00:01.123456',NULL,1,7,NULL);
INSERT INTO "templates" VALUES('109','m109',NULL,'战斗游戏','Battle Game','https://media.example/109.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{}','384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca','30ff223c63545d3c82f8b0f1dd548cceea6d46a086d2fd4be11cb1db7b794e8b','2026-11-01 12:00:01.123456','2026-11-04 12:00:01.123456','2026-11-04 12:00:01.123456',1,4,4);
INSERT INTO "templates" VALUES('106',NULL,NULL,'战斗游戏','Battle Game','https://media.example/106.jpeg?x-signature=1',NULL,NULL,10123,NULL,NULL,1,'2026-05-22 03:37:31.000000','{"Level": null}','5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06','e0a6ae203946ad8a5a02dca9b26c0d6a71ea08bf0873d414370ecb3606b74351','2026-11-03 12:00:01.123456','2026-11-03 12:00:01.123456',NULL,3,3,NULL);
CREATE INDEX ix_template_tags_tag_id ON template_tags (tag_id);
CREATE INDEX ix_sync_runs_status_finished_at ON sync_runs (status, finished_at);
CREATE INDEX ix_template_changes_template_id ON template_changes (template_id);
CREATE VIEW current_templates AS SELECT template_id, media_id, service_id, title, title_en, cover_url, cover_aspect_ratio, preview_video_url, duration_ms, template_type, input_requirement, input_num, released_at, extra, content_hash, first_seen_at, changed_at, first_seen_run_id, changed_run_id FROM templates WHERE removed_at IS NULL;
CREATE VIEW current_prices AS SELECT p.template_id, t.title, t.title_en, p.resolution, p.position, p.credit FROM consume_items p JOIN templates t ON t.template_id = p.template_id WHERE t.removed_at IS NULL;
CREATE VIEW price_history AS SELECT template_id, resolution, credit, valid_from, valid_until FROM price_periods;
CREATE VIEW change_feed AS SELECT c.seq, c.run_id, c.at, c.template_id, c.kind, c.fields, c.evidence, v.document FROM template_changes c LEFT JOIN template_versions v ON v.template_id = c.template_id AND v.from_run_id = c.run_id AND c.kind <> 'removed';
CREATE VIEW sync_status AS SELECT moments.*, round((julianday('now') - julianday(moments.last_attempt_at)) * 86400.0, 3) AS last_attempt_age_seconds, round((julianday('now') - julianday(moments.last_success_at)) * 86400.0, 3) AS last_success_age_seconds, round((julianday('now') - julianday(moments.last_change_at)) * 86400.0, 3) AS last_change_age_seconds, (SELECT count(*) FROM templates WHERE removed_at IS NULL) AS present_count FROM (SELECT (SELECT max(started_at) FROM sync_runs) AS last_attempt_at, (SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND pages > 0) AS last_success_at, (SELECT max(changed_at) FROM templates) AS last_change_at) moments;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sync_runs',10);
COMMIT;
