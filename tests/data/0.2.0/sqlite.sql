BEGIN TRANSACTION;
CREATE TABLE consume_items (
	template_id VARCHAR(255) NOT NULL, 
	resolution VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	credit DOUBLE NOT NULL, 
	CONSTRAINT pk_consume_items PRIMARY KEY (template_id, resolution), 
	CONSTRAINT fk_consume_items_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "consume_items" VALUES('104909826','480p',0,166.5);
INSERT INTO "consume_items" VALUES('104909826','720p',1,355.2);
INSERT INTO "consume_items" VALUES('890529046','480p',0,115.44);
INSERT INTO "consume_items" VALUES('890529046','720p',1,245.31);
INSERT INTO "consume_items" VALUES('890529046','1080p',2,548.34);
INSERT INTO "consume_items" VALUES('625133146','480p',0,249.75);
INSERT INTO "consume_items" VALUES('632115118','480p',0,71.04);
INSERT INTO "consume_items" VALUES('910988957','720p',0,75.48);
INSERT INTO "consume_items" VALUES('910988957','1080p',1,168.72);
INSERT INTO "consume_items" VALUES('660539244','480p',0,133.2);
INSERT INTO "consume_items" VALUES('660539244','720p',1,284.16);
INSERT INTO "consume_items" VALUES('660539244','1080p',2,639.36);
INSERT INTO "consume_items" VALUES('406178108','480p',0,71.04);
INSERT INTO "consume_items" VALUES('406178108','720p',1,150.96);
INSERT INTO "consume_items" VALUES('406178108','1080p',2,337.44);
INSERT INTO "consume_items" VALUES('344025326','480p',0,35.52);
INSERT INTO "consume_items" VALUES('344025326','720p',1,75.48);
INSERT INTO "consume_items" VALUES('344025326','1080p',2,168.72);
INSERT INTO "consume_items" VALUES('379732113','480p',0,166.5);
INSERT INTO "consume_items" VALUES('379732113','720p',1,355.2);
INSERT INTO "consume_items" VALUES('703855557','720p',0,94.35);
INSERT INTO "consume_items" VALUES('703855557','1080p',1,210.9);
INSERT INTO "consume_items" VALUES('357846441','480p',0,124.32);
INSERT INTO "consume_items" VALUES('357846441','720p',1,264.18);
INSERT INTO "consume_items" VALUES('838413849','480p',0,149.85);
INSERT INTO "consume_items" VALUES('838413849','720p',1,319.68);
INSERT INTO "consume_items" VALUES('321877717','480p',0,146.5);
CREATE TABLE held_removals (
	template_id VARCHAR(255) NOT NULL, 
	since_run_id BIGINT NOT NULL, 
	runs INTEGER NOT NULL, 
	CONSTRAINT pk_held_removals PRIMARY KEY (template_id), 
	CONSTRAINT fk_held_removals_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
CREATE TABLE planned_runs (
	host VARCHAR(255) NOT NULL, 
	next_run_at DATETIME NOT NULL, 
	CONSTRAINT pk_planned_runs PRIMARY KEY (host)
);
CREATE TABLE price_changes (
	seq BIGINT NOT NULL, 
	resolution VARCHAR(64) NOT NULL, 
	template_id VARCHAR(255) NOT NULL, 
	old_credit DOUBLE, 
	new_credit DOUBLE, 
	CONSTRAINT pk_price_changes PRIMARY KEY (seq, resolution)
);
INSERT INTO "price_changes" VALUES(14,'480p','321877717',133.2,146.5);
CREATE TABLE price_periods (
	template_id VARCHAR(255) NOT NULL, 
	resolution VARCHAR(64) NOT NULL, 
	from_run_id BIGINT NOT NULL, 
	credit DOUBLE NOT NULL, 
	valid_from DATETIME NOT NULL, 
	valid_until DATETIME, until_run_id BIGINT, 
	CONSTRAINT pk_price_periods PRIMARY KEY (template_id, resolution, from_run_id), 
	CONSTRAINT fk_price_periods_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "price_periods" VALUES('104909826','480p',1,166.5,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('104909826','720p',1,355.2,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('890529046','480p',1,115.44,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('890529046','720p',1,245.31,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('890529046','1080p',1,548.34,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('321877717','480p',1,133.2,'2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',2);
INSERT INTO "price_periods" VALUES('625133146','480p',1,249.75,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('632115118','480p',1,71.04,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('910988957','720p',1,75.48,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('910988957','1080p',1,168.72,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('660539244','480p',1,133.2,'2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',2);
INSERT INTO "price_periods" VALUES('660539244','720p',1,284.16,'2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',2);
INSERT INTO "price_periods" VALUES('660539244','1080p',1,639.36,'2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',2);
INSERT INTO "price_periods" VALUES('406178108','480p',1,71.04,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('406178108','720p',1,150.96,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('406178108','1080p',1,337.44,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('344025326','480p',1,35.52,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('344025326','720p',1,75.48,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('344025326','1080p',1,168.72,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('379732113','480p',1,166.5,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('379732113','720p',1,355.2,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('703855557','720p',1,94.35,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('703855557','1080p',1,210.9,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('357846441','480p',1,124.32,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('357846441','720p',1,264.18,'2026-11-30 11:22:10.797303',NULL,NULL);
INSERT INTO "price_periods" VALUES('838413849','480p',2,149.85,'2026-11-30 11:22:11.621755',NULL,NULL);
INSERT INTO "price_periods" VALUES('838413849','720p',2,319.68,'2026-11-30 11:22:11.621755',NULL,NULL);
INSERT INTO "price_periods" VALUES('321877717','480p',2,146.5,'2026-11-30 11:22:11.621755',NULL,NULL);
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
CREATE TABLE sync_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sync_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "sync_alembic_version" VALUES('0006');
CREATE TABLE sync_lease (
	name VARCHAR(16) NOT NULL, 
	fence BIGINT NOT NULL, 
	holder VARCHAR(255), 
	process VARCHAR(255), 
	expires DOUBLE NOT NULL, ttl DOUBLE, token VARCHAR(32), turn BIGINT, 
	CONSTRAINT pk_sync_lease PRIMARY KEY (name)
);
INSERT INTO "sync_lease" VALUES('sync',2,NULL,NULL,0.0,60.0,'9a880631d7acd1f9959f4bc146d55627',NULL);
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
	holder VARCHAR(255) NOT NULL, version VARCHAR(32), token VARCHAR(32), place VARCHAR(255), 
	CONSTRAINT uq_sync_runs_fence UNIQUE (fence), 
	CONSTRAINT ck_sync_runs_ck_sync_runs_status CHECK (status in ('running', 'succeeded', 'held', 'incomplete', 'deferred', 'failed', 'skipped', 'interrupted'))
);
INSERT INTO "sync_runs" VALUES(1,'run','succeeded','2026-11-30 11:22:10.775527','2026-11-30 11:22:10.797303',12,1,1,0,9971,12,12,0,0,0,0,0,NULL,NULL,NULL,NULL,1,'vm (pid 16709)','0.2.0','c0903126e050b1c47b9b99f5410da758',NULL);
INSERT INTO "sync_runs" VALUES(2,'run','succeeded','2026-11-30 11:22:11.594652','2026-11-30 11:22:11.621755',12,1,7,0,13770,12,1,1,3,8,0,0,NULL,NULL,NULL,NULL,2,'vm (pid 16781)','0.2.0','9a880631d7acd1f9959f4bc146d55627',NULL);
CREATE TABLE sync_state (
	name VARCHAR(16) NOT NULL, 
	last_seq BIGINT NOT NULL, 
	oldest_seq BIGINT NOT NULL, 
	wire_fields JSON, 
	absent_fields JSON, 
	unreconciled_ids VARCHAR(64), 
	unreconciled_runs INTEGER NOT NULL, 
	next_run_at DATETIME, oldest_run_id BIGINT, feed_epoch VARCHAR(12), last_cursor VARCHAR(64), pruned_cursor VARCHAR(64), 
	CONSTRAINT pk_sync_state PRIMARY KEY (name)
);
INSERT INTO "sync_state" VALUES('sync',17,1,'["ConsumeItems","Cover","CoverAspectRatio","Duration","InputNum","InputRequirement","MediaId","PreviewVideo","ReleaseOnlineTime","ServiceId","SupportAspectRatio","Tags","Tags_en","TemplateId","TemplateType","Title","Title_en"]',NULL,NULL,0,NULL,NULL,'16f674bff695','16f674bff695-17-7cbdcd01908c185fe28eb08c',NULL);
CREATE TABLE tags (
	tag_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	name_en VARCHAR(255), 
	CONSTRAINT pk_tags PRIMARY KEY (tag_id), 
	CONSTRAINT uq_tags_name_name_en UNIQUE (name, name_en)
);
INSERT INTO "tags" VALUES(1,'🔥Seedance2.0模型','🔥Seedance2.0 Model');
INSERT INTO "tags" VALUES(2,'运镜','Camera Moves');
INSERT INTO "tags" VALUES(3,'情侣','Couples');
INSERT INTO "tags" VALUES(4,'单人','Solo');
INSERT INTO "tags" VALUES(5,'宠物','Pets');
INSERT INTO "tags" VALUES(6,'双人','Duo');
INSERT INTO "tags" VALUES(7,'变身','Transformation');
INSERT INTO "tags" VALUES(8,'热门','Trending');
CREATE TABLE template_aspect_ratios (
	template_id VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	aspect_ratio VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_template_aspect_ratios PRIMARY KEY (template_id, position), 
	CONSTRAINT fk_template_aspect_ratios_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "template_aspect_ratios" VALUES('104909826',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('104909826',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('104909826',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('104909826',3,'4:3');
INSERT INTO "template_aspect_ratios" VALUES('104909826',4,'3:4');
INSERT INTO "template_aspect_ratios" VALUES('890529046',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('321877717',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('321877717',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('321877717',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('321877717',3,'4:3');
INSERT INTO "template_aspect_ratios" VALUES('625133146',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('625133146',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('625133146',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('632115118',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('632115118',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('910988957',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('660539244',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('660539244',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('660539244',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('660539244',3,'4:3');
INSERT INTO "template_aspect_ratios" VALUES('660539244',4,'3:4');
INSERT INTO "template_aspect_ratios" VALUES('406178108',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('406178108',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('406178108',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('344025326',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('379732113',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('379732113',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('379732113',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('703855557',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('703855557',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('703855557',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('703855557',3,'4:3');
INSERT INTO "template_aspect_ratios" VALUES('357846441',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('357846441',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('357846441',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('357846441',3,'4:3');
INSERT INTO "template_aspect_ratios" VALUES('357846441',4,'3:4');
INSERT INTO "template_aspect_ratios" VALUES('838413849',0,'9:16');
INSERT INTO "template_aspect_ratios" VALUES('838413849',1,'1:1');
INSERT INTO "template_aspect_ratios" VALUES('838413849',2,'16:9');
INSERT INTO "template_aspect_ratios" VALUES('838413849',3,'4:3');
CREATE TABLE template_changes (
	seq BIGINT NOT NULL, 
	run_id BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	template_id VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	fields JSON, 
	evidence VARCHAR(16), document_hash VARCHAR(64), breaking JSON, cursor VARCHAR(64), 
	CONSTRAINT pk_template_changes PRIMARY KEY (seq), 
	CONSTRAINT uq_template_changes_run_id_template_id UNIQUE (run_id, template_id), 
	CONSTRAINT ck_template_changes_ck_template_changes_kind CHECK (kind in ('added', 'removed', 'changed'))
);
INSERT INTO "template_changes" VALUES(1,1,'2026-11-30 11:22:10.797303','104909826','added',NULL,NULL,'20326dfff4abd0c20f2c861637af51de8ae720cbc58a44524e71a6f75f87100e','[]','16f674bff695-1-00b93eba69d8305f8e57563b');
INSERT INTO "template_changes" VALUES(2,1,'2026-11-30 11:22:10.797303','890529046','added',NULL,NULL,'a2dd686755204d4f065509f06a3676635947d51f8259b545fd9f5382f5857992','[]','16f674bff695-2-b807537981b27c02485c9403');
INSERT INTO "template_changes" VALUES(3,1,'2026-11-30 11:22:10.797303','321877717','added',NULL,NULL,'46c4718b55ee60d3f30b7723b4f26a49739cfa5cce83c7b62a667bf2b5c655b0','[]','16f674bff695-3-eed3f1e2f17815f40ef6fde1');
INSERT INTO "template_changes" VALUES(4,1,'2026-11-30 11:22:10.797303','625133146','added',NULL,NULL,'fd720d3cbdc0f8b9e82e95385ce7fafa79e163dc25ec35fb38f602068066714d','[]','16f674bff695-4-bbfaf09b59e4f3d3d02a505f');
INSERT INTO "template_changes" VALUES(5,1,'2026-11-30 11:22:10.797303','632115118','added',NULL,NULL,'ea6921c2385cfda508799f85c4fb06c8efde3752b8e73fd4f3423df63af31cf2','[]','16f674bff695-5-249893456128d3db52449007');
INSERT INTO "template_changes" VALUES(6,1,'2026-11-30 11:22:10.797303','910988957','added',NULL,NULL,'2ac3772389e2893b757ca9a5c2bad38c77eba89a992c7353737564124ad7b7d0','[]','16f674bff695-6-62ca56548021660b7ad3c97d');
INSERT INTO "template_changes" VALUES(7,1,'2026-11-30 11:22:10.797303','660539244','added',NULL,NULL,'22bde97c570e46d52d6ec8efff3aa1c4c67fa96060040e2d23153b3f364be58d','[]','16f674bff695-7-1dab9ef48af1f2ababbb9a8f');
INSERT INTO "template_changes" VALUES(8,1,'2026-11-30 11:22:10.797303','406178108','added',NULL,NULL,'fbb317dfbc445f17d8312eec77a478cbfac50c4b1e86a3ca4f29d31acc8f8dac','[]','16f674bff695-8-a3ec8a75472fd65f752266ac');
INSERT INTO "template_changes" VALUES(9,1,'2026-11-30 11:22:10.797303','344025326','added',NULL,NULL,'8e40df2a582b7f158a1ebdcef4753c3764a26288b7528f7f71db55415e078930','[]','16f674bff695-9-0ca6ae315a0f2a70e920870d');
INSERT INTO "template_changes" VALUES(10,1,'2026-11-30 11:22:10.797303','379732113','added',NULL,NULL,'87509020929680b7938aed87c90cf3014a4637aa01b005013cbb6474d413b055','[]','16f674bff695-10-b5ac1d14fda426554619b815');
INSERT INTO "template_changes" VALUES(11,1,'2026-11-30 11:22:10.797303','703855557','added',NULL,NULL,'8a267ad35ab228dedb198c8b2ca09503333995973992fc7baa05cede4239fd66','[]','16f674bff695-11-7e57b7b8387c31313b8c73eb');
INSERT INTO "template_changes" VALUES(12,1,'2026-11-30 11:22:10.797303','357846441','added',NULL,NULL,'3f613c84f43177fce1346cf9942902e1e6b954be5a3df4424461d9ace8812bff','[]','16f674bff695-12-efd176d4fcea731efa062c36');
INSERT INTO "template_changes" VALUES(13,2,'2026-11-30 11:22:11.621755','838413849','added',NULL,NULL,'98f5a9ee7833ef7ef419b490b4c6ffaebf3a007785d41b4a8dd750aaec48cc69','[]','16f674bff695-13-0769591fb5575c1e7f6e6bd6');
INSERT INTO "template_changes" VALUES(14,2,'2026-11-30 11:22:11.621755','321877717','changed','[{"field":"consume_items.480p","old":133.2,"new":146.5}]',NULL,'c28ed44c3186caa8bf324ab3f7424ff332968192479e3fefa13b08bdbb6ac6ae','[]','16f674bff695-14-803fd6a885f5848b21c58009');
INSERT INTO "template_changes" VALUES(15,2,'2026-11-30 11:22:11.621755','406178108','changed','[{"field":"title","old":"夏日婚礼瞬间","new":"沙漠走秀瞬间"},{"field":"title_en","old":"Summer Wedding Moment","new":"Desert Catwalk Moment"}]',NULL,'a2f958a5dd99894c9513e90ce45dbb4b9c49063a22bebb1e713199427936ca45','[]','16f674bff695-15-cd1b42a7a7b0c0c4fc1e9709');
INSERT INTO "template_changes" VALUES(16,2,'2026-11-30 11:22:11.621755','357846441','changed','[{"field":"tags","old":[{"name":"单人","name_en":"Solo"},{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"}],"new":[{"name":"单人","name_en":"Solo"},{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"},{"name":"情侣","name_en":"Couples"}],"gained":[{"name":"情侣","name_en":"Couples"}],"lost":[]}]',NULL,'9525bc50aaa638c3379af341b285f11690a5ef3cb8ba3cb09131107be3f6f15e','[]','16f674bff695-16-d11fb7b8e68c973f8ac82b63');
INSERT INTO "template_changes" VALUES(17,2,'2026-11-30 11:22:11.621755','660539244','removed',NULL,'lookup','22bde97c570e46d52d6ec8efff3aa1c4c67fa96060040e2d23153b3f364be58d','["removed"]','16f674bff695-17-7cbdcd01908c185fe28eb08c');
CREATE TABLE template_tags (
	template_id VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	tag_id INTEGER NOT NULL, 
	CONSTRAINT pk_template_tags PRIMARY KEY (template_id, position), 
	CONSTRAINT fk_template_tags_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id), 
	CONSTRAINT fk_template_tags_tag_id FOREIGN KEY(tag_id) REFERENCES tags (tag_id)
);
INSERT INTO "template_tags" VALUES('104909826',0,1);
INSERT INTO "template_tags" VALUES('890529046',0,2);
INSERT INTO "template_tags" VALUES('890529046',1,3);
INSERT INTO "template_tags" VALUES('321877717',0,4);
INSERT INTO "template_tags" VALUES('625133146',0,5);
INSERT INTO "template_tags" VALUES('632115118',0,6);
INSERT INTO "template_tags" VALUES('632115118',1,2);
INSERT INTO "template_tags" VALUES('910988957',0,7);
INSERT INTO "template_tags" VALUES('910988957',1,6);
INSERT INTO "template_tags" VALUES('910988957',2,4);
INSERT INTO "template_tags" VALUES('660539244',0,2);
INSERT INTO "template_tags" VALUES('660539244',1,8);
INSERT INTO "template_tags" VALUES('406178108',0,7);
INSERT INTO "template_tags" VALUES('406178108',1,3);
INSERT INTO "template_tags" VALUES('406178108',2,2);
INSERT INTO "template_tags" VALUES('344025326',0,1);
INSERT INTO "template_tags" VALUES('379732113',0,6);
INSERT INTO "template_tags" VALUES('703855557',0,3);
INSERT INTO "template_tags" VALUES('703855557',1,6);
INSERT INTO "template_tags" VALUES('838413849',0,5);
INSERT INTO "template_tags" VALUES('357846441',0,4);
INSERT INTO "template_tags" VALUES('357846441',1,1);
INSERT INTO "template_tags" VALUES('357846441',2,3);
CREATE TABLE template_versions (
	template_id VARCHAR(255) NOT NULL, 
	from_run_id BIGINT NOT NULL, 
	until_run_id BIGINT, 
	document JSON NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_template_versions PRIMARY KEY (template_id, from_run_id), 
	CONSTRAINT fk_template_versions_template_id FOREIGN KEY(template_id) REFERENCES templates (template_id)
);
INSERT INTO "template_versions" VALUES('104909826',1,NULL,'{"template_id":"104909826","media_id":"7642552612302307355","service_id":"217677058","title":"战斗游戏","title_en":"Battle Game","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642552364255297590_transcode_image_jpeg_480p/example.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642552612302307355_transcode_video_mp4_480p_h264.mp4","duration_ms":10123,"template_type":"BEGIN_END_FRAME","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-22T03:37:31Z","consume_items":[{"resolution":"480p","credit":166.5},{"resolution":"720p","credit":355.2}],"tags":[{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"}],"aspect_ratios":["9:16","1:1","16:9","4:3","3:4"],"extra":{}}','20326dfff4abd0c20f2c861637af51de8ae720cbc58a44524e71a6f75f87100e');
INSERT INTO "template_versions" VALUES('890529046',1,NULL,'{"template_id":"890529046","media_id":"7642551086787824642","service_id":"427981011","title":"闪电漫步特效","title_en":"Lightning Stroll Effect","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642550734834432037_transcode_image_jpeg_480p/f6cd7f7f601e90f88462ce7c23bddb8b.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642551086787824642_transcode_video_mp4_480p_h264.mp4","duration_ms":13167,"template_type":"REFERENCE_IMAGE","input_requirement":"ANY_IMAGE","input_num":1,"released_at":"2026-05-22T03:31:28Z","consume_items":[{"resolution":"480p","credit":115.44},{"resolution":"720p","credit":245.31},{"resolution":"1080p","credit":548.34}],"tags":[{"name":"运镜","name_en":"Camera Moves"},{"name":"情侣","name_en":"Couples"}],"aspect_ratios":["9:16"],"extra":{}}','a2dd686755204d4f065509f06a3676635947d51f8259b545fd9f5382f5857992');
INSERT INTO "template_versions" VALUES('321877717',1,2,'{"template_id":"321877717","media_id":"7642526801043851238","service_id":"599009406","title":"末日特工传说","title_en":"Doomsday Agent Legend","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642526293445683339_transcode_image_jpeg_480p/8e587c1863c9cfd4da548b2b724731b3.jpeg","cover_aspect_ratio":"1:1","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642526801043851238_transcode_video_mp4_480p_h264.mp4","duration_ms":15010,"template_type":"BEGIN_END_FRAME","input_requirement":"DOUBLE_PERSON","input_num":2,"released_at":"2026-05-22T01:57:14Z","consume_items":[{"resolution":"480p","credit":133.2}],"tags":[{"name":"单人","name_en":"Solo"}],"aspect_ratios":["9:16","1:1","16:9","4:3"],"extra":{}}','46c4718b55ee60d3f30b7723b4f26a49739cfa5cce83c7b62a667bf2b5c655b0');
INSERT INTO "template_versions" VALUES('625133146',1,NULL,'{"template_id":"625133146","media_id":"7642509890764163591","service_id":"251311818","title":"末日天使大片","title_en":"Doomsday Angel Blockbuster","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642509547748450046_transcode_image_jpeg_480p/0ed4af7be780b607eb840b1284807959.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642509890764163591_transcode_video_mp4_480p_h264.mp4","duration_ms":15097,"template_type":"BEGIN_FRAME","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-22T00:51:36Z","consume_items":[{"resolution":"480p","credit":249.75}],"tags":[{"name":"宠物","name_en":"Pets"}],"aspect_ratios":["9:16","1:1","16:9"],"extra":{}}','fd720d3cbdc0f8b9e82e95385ce7fafa79e163dc25ec35fb38f602068066714d');
INSERT INTO "template_versions" VALUES('632115118',1,NULL,'{"template_id":"632115118","media_id":"7642473611822814941","service_id":"418916153","title":"水墨派对瞬间","title_en":"Ink Wash Party Moment","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642473468873880112_transcode_image_jpeg_480p/17d7d557228fc31fb1bb17b242bfc472.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642473611822814941_transcode_video_mp4_480p_h264.mp4","duration_ms":8072,"template_type":"BEGIN_END_FRAME","input_requirement":"SINGLE_PET","input_num":1,"released_at":"2026-05-21T22:30:50Z","consume_items":[{"resolution":"480p","credit":71.04}],"tags":[{"name":"双人","name_en":"Duo"},{"name":"运镜","name_en":"Camera Moves"}],"aspect_ratios":["9:16","1:1"],"extra":{}}','ea6921c2385cfda508799f85c4fb06c8efde3752b8e73fd4f3423df63af31cf2');
INSERT INTO "template_versions" VALUES('910988957',1,NULL,'{"template_id":"910988957","media_id":"7642446698860435992","service_id":"236781906","title":"宫廷婚礼传说","title_en":"Palace Wedding Legend","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642446339902244366_transcode_image_jpeg_480p/a9b22729141b4dccc34cca566badc646.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642446698860435992_transcode_video_mp4_480p_h264.mp4","duration_ms":4082,"template_type":"REFERENCE_IMAGE","input_requirement":"ANY_IMAGE","input_num":1,"released_at":"2026-05-21T20:46:23Z","consume_items":[{"resolution":"720p","credit":75.48},{"resolution":"1080p","credit":168.72}],"tags":[{"name":"变身","name_en":"Transformation"},{"name":"双人","name_en":"Duo"},{"name":"单人","name_en":"Solo"}],"aspect_ratios":["9:16"],"extra":{}}','2ac3772389e2893b757ca9a5c2bad38c77eba89a992c7353737564124ad7b7d0');
INSERT INTO "template_versions" VALUES('660539244',1,2,'{"template_id":"660539244","media_id":"7642439547481936907","service_id":"109612011","title":"黄金婚礼短片","title_en":"Golden Wedding Short Film","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642439114832746219_transcode_image_jpeg_480p/3c4ce1ebad3f7eb4cc8cee36f93ef0ec.jpeg","cover_aspect_ratio":"4:3","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642439547481936907_transcode_video_mp4_480p_h264.mp4","duration_ms":8020,"template_type":"BEGIN_END_FRAME","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-21T20:18:38Z","consume_items":[{"resolution":"480p","credit":133.2},{"resolution":"720p","credit":284.16},{"resolution":"1080p","credit":639.36}],"tags":[{"name":"运镜","name_en":"Camera Moves"},{"name":"热门","name_en":"Trending"}],"aspect_ratios":["9:16","1:1","16:9","4:3","3:4"],"extra":{}}','22bde97c570e46d52d6ec8efff3aa1c4c67fa96060040e2d23153b3f364be58d');
INSERT INTO "template_versions" VALUES('406178108',1,2,'{"template_id":"406178108","media_id":"7642432605003173060","service_id":"667417903","title":"夏日婚礼瞬间","title_en":"Summer Wedding Moment","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642432192676552744_transcode_image_jpeg_480p/25a4e8d80bfe7b4232ecd78286b3b8fb.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642432605003173060_transcode_video_mp4_480p_h264.mp4","duration_ms":8095,"template_type":"BEGIN_END_FRAME","input_requirement":"ANY_IMAGE","input_num":1,"released_at":"2026-05-21T19:51:42Z","consume_items":[{"resolution":"480p","credit":71.04},{"resolution":"720p","credit":150.96},{"resolution":"1080p","credit":337.44}],"tags":[{"name":"变身","name_en":"Transformation"},{"name":"情侣","name_en":"Couples"},{"name":"运镜","name_en":"Camera Moves"}],"aspect_ratios":["9:16","1:1","16:9"],"extra":{}}','fbb317dfbc445f17d8312eec77a478cbfac50c4b1e86a3ca4f29d31acc8f8dac');
INSERT INTO "template_versions" VALUES('344025326',1,NULL,'{"template_id":"344025326","media_id":"7642409927777268880","service_id":"308888281","title":"宫廷英雄短片","title_en":"Palace Hero Short Film","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642409683120001113_transcode_image_jpeg_480p/cf5428bd52e01a4440c5212e350aa832.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642409927777268880_transcode_video_mp4_480p_h264.mp4","duration_ms":4186,"template_type":"BEGIN_END_FRAME","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-21T18:23:42Z","consume_items":[{"resolution":"480p","credit":35.52},{"resolution":"720p","credit":75.48},{"resolution":"1080p","credit":168.72}],"tags":[{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"}],"aspect_ratios":["9:16"],"extra":{}}','8e40df2a582b7f158a1ebdcef4753c3764a26288b7528f7f71db55415e078930');
INSERT INTO "template_versions" VALUES('379732113',1,NULL,'{"template_id":"379732113","media_id":"7642390951054442603","service_id":"603849116","title":"月光球赛特效","title_en":"Moonlight Ball Game Effect","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642390499695795991_transcode_image_jpeg_480p/fa4bac2547f36e4872baa8bfd0895eba.jpeg","cover_aspect_ratio":"16:9","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642390951054442603_transcode_video_mp4_480p_h264.mp4","duration_ms":10123,"template_type":"BEGIN_END_FRAME","input_requirement":"DOUBLE_PERSON","input_num":2,"released_at":"2026-05-21T17:10:04Z","consume_items":[{"resolution":"480p","credit":166.5},{"resolution":"720p","credit":355.2}],"tags":[{"name":"双人","name_en":"Duo"}],"aspect_ratios":["9:16","1:1","16:9"],"extra":{}}','87509020929680b7938aed87c90cf3014a4637aa01b005013cbb6474d413b055');
INSERT INTO "template_versions" VALUES('703855557',1,NULL,'{"template_id":"703855557","media_id":"7642378252443034059","service_id":"678599129","title":"校园告白","title_en":"Campus Confession","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642377924199252436_transcode_image_jpeg_480p/26868574459c076d17d06e65f5801757.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642378252443034059_transcode_video_mp4_480p_h264.mp4","duration_ms":5121,"template_type":"BEGIN_END_FRAME","input_requirement":"DOUBLE_PERSON","input_num":2,"released_at":"2026-05-21T16:20:47Z","consume_items":[{"resolution":"720p","credit":94.35},{"resolution":"1080p","credit":210.9}],"tags":[{"name":"情侣","name_en":"Couples"},{"name":"双人","name_en":"Duo"}],"aspect_ratios":["9:16","1:1","16:9","4:3"],"extra":{}}','8a267ad35ab228dedb198c8b2ca09503333995973992fc7baa05cede4239fd66');
INSERT INTO "template_versions" VALUES('357846441',1,2,'{"template_id":"357846441","media_id":"7642344231722237209","service_id":"183360331","title":"樱花街舞大片","title_en":"Cherry Blossom Street Dance Blockbuster","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642343975865486875_transcode_image_jpeg_480p/3eb15690b6017f368404ef0d9906ebab.jpeg","cover_aspect_ratio":"4:3","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642344231722237209_transcode_video_mp4_480p_h264.mp4","duration_ms":14028,"template_type":"REFERENCE_IMAGE","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-21T14:08:46Z","consume_items":[{"resolution":"480p","credit":124.32},{"resolution":"720p","credit":264.18}],"tags":[{"name":"单人","name_en":"Solo"},{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"}],"aspect_ratios":["9:16","1:1","16:9","4:3","3:4"],"extra":{}}','3f613c84f43177fce1346cf9942902e1e6b954be5a3df4424461d9ace8812bff');
INSERT INTO "template_versions" VALUES('838413849',2,NULL,'{"template_id":"838413849","media_id":"7643270714922229311","service_id":"753095144","title":"海底列车挑战","title_en":"Undersea Train Challenge","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7643270631854767668_transcode_image_jpeg_480p/b9a4f0c3b3738238d13b795fce82c0f9.jpeg","cover_aspect_ratio":"16:9","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7643270714922229311_transcode_video_mp4_480p_h264.mp4","duration_ms":9054,"template_type":"BEGIN_FRAME","input_requirement":"DOUBLE_PERSON","input_num":2,"released_at":"2026-05-24T02:04:00Z","consume_items":[{"resolution":"480p","credit":149.85},{"resolution":"720p","credit":319.68}],"tags":[{"name":"宠物","name_en":"Pets"}],"aspect_ratios":["9:16","1:1","16:9","4:3"],"extra":{}}','98f5a9ee7833ef7ef419b490b4c6ffaebf3a007785d41b4a8dd750aaec48cc69');
INSERT INTO "template_versions" VALUES('321877717',2,NULL,'{"template_id":"321877717","media_id":"7642526801043851238","service_id":"599009406","title":"末日特工传说","title_en":"Doomsday Agent Legend","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642526293445683339_transcode_image_jpeg_480p/8e587c1863c9cfd4da548b2b724731b3.jpeg","cover_aspect_ratio":"1:1","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642526801043851238_transcode_video_mp4_480p_h264.mp4","duration_ms":15010,"template_type":"BEGIN_END_FRAME","input_requirement":"DOUBLE_PERSON","input_num":2,"released_at":"2026-05-22T01:57:14Z","consume_items":[{"resolution":"480p","credit":146.5}],"tags":[{"name":"单人","name_en":"Solo"}],"aspect_ratios":["9:16","1:1","16:9","4:3"],"extra":{}}','c28ed44c3186caa8bf324ab3f7424ff332968192479e3fefa13b08bdbb6ac6ae');
INSERT INTO "template_versions" VALUES('406178108',2,NULL,'{"template_id":"406178108","media_id":"7642432605003173060","service_id":"667417903","title":"沙漠走秀瞬间","title_en":"Desert Catwalk Moment","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642432192676552744_transcode_image_jpeg_480p/25a4e8d80bfe7b4232ecd78286b3b8fb.jpeg","cover_aspect_ratio":"9:16","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642432605003173060_transcode_video_mp4_480p_h264.mp4","duration_ms":8095,"template_type":"BEGIN_END_FRAME","input_requirement":"ANY_IMAGE","input_num":1,"released_at":"2026-05-21T19:51:42Z","consume_items":[{"resolution":"480p","credit":71.04},{"resolution":"720p","credit":150.96},{"resolution":"1080p","credit":337.44}],"tags":[{"name":"变身","name_en":"Transformation"},{"name":"情侣","name_en":"Couples"},{"name":"运镜","name_en":"Camera Moves"}],"aspect_ratios":["9:16","1:1","16:9"],"extra":{}}','a2f958a5dd99894c9513e90ce45dbb4b9c49063a22bebb1e713199427936ca45');
INSERT INTO "template_versions" VALUES('357846441',2,NULL,'{"template_id":"357846441","media_id":"7642344231722237209","service_id":"183360331","title":"樱花街舞大片","title_en":"Cherry Blossom Street Dance Blockbuster","cover_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642343975865486875_transcode_image_jpeg_480p/3eb15690b6017f368404ef0d9906ebab.jpeg","cover_aspect_ratio":"4:3","preview_video_url":"https://muse.console.volcengine.com/api/storage/objects/media/7642344231722237209_transcode_video_mp4_480p_h264.mp4","duration_ms":14028,"template_type":"REFERENCE_IMAGE","input_requirement":"SINGLE_PERSON","input_num":1,"released_at":"2026-05-21T14:08:46Z","consume_items":[{"resolution":"480p","credit":124.32},{"resolution":"720p","credit":264.18}],"tags":[{"name":"单人","name_en":"Solo"},{"name":"🔥Seedance2.0模型","name_en":"🔥Seedance2.0 Model"},{"name":"情侣","name_en":"Couples"}],"aspect_ratios":["9:16","1:1","16:9","4:3","3:4"],"extra":{}}','9525bc50aaa638c3379af341b285f11690a5ef3cb8ba3cb09131107be3f6f15e');
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
	removed_run_id BIGINT, wire_hash VARCHAR(64), 
	CONSTRAINT pk_templates PRIMARY KEY (template_id)
);
INSERT INTO "templates" VALUES('104909826','7642552612302307355','217677058','战斗游戏','Battle Game','https://muse.console.volcengine.com/api/storage/objects/media/7642552364255297590_transcode_image_jpeg_480p/example.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642552612302307355_transcode_video_mp4_480p_h264.mp4',10123,'BEGIN_END_FRAME','SINGLE_PERSON',1,'2026-05-22 03:37:31.000000','{}','20326dfff4abd0c20f2c861637af51de8ae720cbc58a44524e71a6f75f87100e','bf17b273fe1ffb7a0a2ec56170f442134a829ef0c8ee1badc2ec9b0a184a834f','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'9cbffd2122976d5ded9a898f7ce7cd35');
INSERT INTO "templates" VALUES('890529046','7642551086787824642','427981011','闪电漫步特效','Lightning Stroll Effect','https://muse.console.volcengine.com/api/storage/objects/media/7642550734834432037_transcode_image_jpeg_480p/f6cd7f7f601e90f88462ce7c23bddb8b.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642551086787824642_transcode_video_mp4_480p_h264.mp4',13167,'REFERENCE_IMAGE','ANY_IMAGE',1,'2026-05-22 03:31:28.000000','{}','a2dd686755204d4f065509f06a3676635947d51f8259b545fd9f5382f5857992','a5a45028e16d2127e82ea41643a61d1b10fbeceb1b820e42f4b892c988b94dd2','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'152bed8ffdd3c5e35c9c147d70fd2b28');
INSERT INTO "templates" VALUES('321877717','7642526801043851238','599009406','末日特工传说','Doomsday Agent Legend','https://muse.console.volcengine.com/api/storage/objects/media/7642526293445683339_transcode_image_jpeg_480p/8e587c1863c9cfd4da548b2b724731b3.jpeg','1:1','https://muse.console.volcengine.com/api/storage/objects/media/7642526801043851238_transcode_video_mp4_480p_h264.mp4',15010,'BEGIN_END_FRAME','DOUBLE_PERSON',2,'2026-05-22 01:57:14.000000','{}','c28ed44c3186caa8bf324ab3f7424ff332968192479e3fefa13b08bdbb6ac6ae','7c3d6db162abfa8669f2e18e4fef8c52ee2832f45134401bfa67bfea1af9d4f9','2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',NULL,1,2,NULL,'cffa2af111f37c1af2239d5389f9a9c4');
INSERT INTO "templates" VALUES('625133146','7642509890764163591','251311818','末日天使大片','Doomsday Angel Blockbuster','https://muse.console.volcengine.com/api/storage/objects/media/7642509547748450046_transcode_image_jpeg_480p/0ed4af7be780b607eb840b1284807959.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642509890764163591_transcode_video_mp4_480p_h264.mp4',15097,'BEGIN_FRAME','SINGLE_PERSON',1,'2026-05-22 00:51:36.000000','{}','fd720d3cbdc0f8b9e82e95385ce7fafa79e163dc25ec35fb38f602068066714d','352a45b95aa827f2372fc0825a429134eaeffa227ac82c5f0fbeebe3110dd895','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'3d2c4fbaed4b91cfc8d8fceae6230852');
INSERT INTO "templates" VALUES('632115118','7642473611822814941','418916153','水墨派对瞬间','Ink Wash Party Moment','https://muse.console.volcengine.com/api/storage/objects/media/7642473468873880112_transcode_image_jpeg_480p/17d7d557228fc31fb1bb17b242bfc472.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642473611822814941_transcode_video_mp4_480p_h264.mp4',8072,'BEGIN_END_FRAME','SINGLE_PET',1,'2026-05-21 22:30:50.000000','{}','ea6921c2385cfda508799f85c4fb06c8efde3752b8e73fd4f3423df63af31cf2','c853da69f40affda52d90d6600c5381a64c2842685ac7e4f58111decd6a1931c','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'d18cfbbcbbd777ee1baaea16aa831bcf');
INSERT INTO "templates" VALUES('910988957','7642446698860435992','236781906','宫廷婚礼传说','Palace Wedding Legend','https://muse.console.volcengine.com/api/storage/objects/media/7642446339902244366_transcode_image_jpeg_480p/a9b22729141b4dccc34cca566badc646.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642446698860435992_transcode_video_mp4_480p_h264.mp4',4082,'REFERENCE_IMAGE','ANY_IMAGE',1,'2026-05-21 20:46:23.000000','{}','2ac3772389e2893b757ca9a5c2bad38c77eba89a992c7353737564124ad7b7d0','4f445af906e700b1d1d97d02e164a93c90bd31e47abe71af0055f68a7e11709d','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'dc2fb4cd8f56d0d1af9e9b54d00a97d9');
INSERT INTO "templates" VALUES('660539244','7642439547481936907','109612011','黄金婚礼短片','Golden Wedding Short Film','https://muse.console.volcengine.com/api/storage/objects/media/7642439114832746219_transcode_image_jpeg_480p/3c4ce1ebad3f7eb4cc8cee36f93ef0ec.jpeg','4:3','https://muse.console.volcengine.com/api/storage/objects/media/7642439547481936907_transcode_video_mp4_480p_h264.mp4',8020,'BEGIN_END_FRAME','SINGLE_PERSON',1,'2026-05-21 20:18:38.000000','{}','22bde97c570e46d52d6ec8efff3aa1c4c67fa96060040e2d23153b3f364be58d','6abf85d49cff1080fcfefbee6eef9a96497c4c878bfca206468749565a874f50','2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755','2026-11-30 11:22:11.621755',1,2,2,'f370379278a4efbe0eff8f77eed6b8f6');
INSERT INTO "templates" VALUES('406178108','7642432605003173060','667417903','沙漠走秀瞬间','Desert Catwalk Moment','https://muse.console.volcengine.com/api/storage/objects/media/7642432192676552744_transcode_image_jpeg_480p/25a4e8d80bfe7b4232ecd78286b3b8fb.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642432605003173060_transcode_video_mp4_480p_h264.mp4',8095,'BEGIN_END_FRAME','ANY_IMAGE',1,'2026-05-21 19:51:42.000000','{}','a2f958a5dd99894c9513e90ce45dbb4b9c49063a22bebb1e713199427936ca45','a3571323a9a2707ff6975ee7a9a4a4b861147f7b1d0d5aa6f299a9ff74806ef4','2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',NULL,1,2,NULL,'c988cf5a07c409a54ec2ca9f2e4bfdc8');
INSERT INTO "templates" VALUES('344025326','7642409927777268880','308888281','宫廷英雄短片','Palace Hero Short Film','https://muse.console.volcengine.com/api/storage/objects/media/7642409683120001113_transcode_image_jpeg_480p/cf5428bd52e01a4440c5212e350aa832.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642409927777268880_transcode_video_mp4_480p_h264.mp4',4186,'BEGIN_END_FRAME','SINGLE_PERSON',1,'2026-05-21 18:23:42.000000','{}','8e40df2a582b7f158a1ebdcef4753c3764a26288b7528f7f71db55415e078930','157f90201a0dde6d240b510ae6f3059223e2085f9e153d06293930875141fac8','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'c4271da427f661211cabf2035004c24f');
INSERT INTO "templates" VALUES('379732113','7642390951054442603','603849116','月光球赛特效','Moonlight Ball Game Effect','https://muse.console.volcengine.com/api/storage/objects/media/7642390499695795991_transcode_image_jpeg_480p/fa4bac2547f36e4872baa8bfd0895eba.jpeg','16:9','https://muse.console.volcengine.com/api/storage/objects/media/7642390951054442603_transcode_video_mp4_480p_h264.mp4',10123,'BEGIN_END_FRAME','DOUBLE_PERSON',2,'2026-05-21 17:10:04.000000','{}','87509020929680b7938aed87c90cf3014a4637aa01b005013cbb6474d413b055','a94141e020200688e1fc65e3eb4195fcee9c9725fa7240e24465460d31b88e2e','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'7e2e4a6f2c968518610f18460f60164e');
INSERT INTO "templates" VALUES('703855557','7642378252443034059','678599129','校园告白','Campus Confession','https://muse.console.volcengine.com/api/storage/objects/media/7642377924199252436_transcode_image_jpeg_480p/26868574459c076d17d06e65f5801757.jpeg','9:16','https://muse.console.volcengine.com/api/storage/objects/media/7642378252443034059_transcode_video_mp4_480p_h264.mp4',5121,'BEGIN_END_FRAME','DOUBLE_PERSON',2,'2026-05-21 16:20:47.000000','{}','8a267ad35ab228dedb198c8b2ca09503333995973992fc7baa05cede4239fd66','db0dc07c7309440985c52eb583097bbaf7726c76ea5a685a79748c45dccf95a9','2026-11-30 11:22:10.797303','2026-11-30 11:22:10.797303',NULL,1,1,NULL,'2f15508d14918776d475e75a5ccf56b7');
INSERT INTO "templates" VALUES('357846441','7642344231722237209','183360331','樱花街舞大片','Cherry Blossom Street Dance Blockbuster','https://muse.console.volcengine.com/api/storage/objects/media/7642343975865486875_transcode_image_jpeg_480p/3eb15690b6017f368404ef0d9906ebab.jpeg','4:3','https://muse.console.volcengine.com/api/storage/objects/media/7642344231722237209_transcode_video_mp4_480p_h264.mp4',14028,'REFERENCE_IMAGE','SINGLE_PERSON',1,'2026-05-21 14:08:46.000000','{}','9525bc50aaa638c3379af341b285f11690a5ef3cb8ba3cb09131107be3f6f15e','d4d8ee7e6957d527a61a8244a9e93d1d47c1a4351676f64889be2d411fddc1fe','2026-11-30 11:22:10.797303','2026-11-30 11:22:11.621755',NULL,1,2,NULL,'99e25ee78d2bf7c5316a864ebab2abd1');
INSERT INTO "templates" VALUES('838413849','7643270714922229311','753095144','海底列车挑战','Undersea Train Challenge','https://muse.console.volcengine.com/api/storage/objects/media/7643270631854767668_transcode_image_jpeg_480p/b9a4f0c3b3738238d13b795fce82c0f9.jpeg','16:9','https://muse.console.volcengine.com/api/storage/objects/media/7643270714922229311_transcode_video_mp4_480p_h264.mp4',9054,'BEGIN_FRAME','DOUBLE_PERSON',2,'2026-05-24 02:04:00.000000','{}','98f5a9ee7833ef7ef419b490b4c6ffaebf3a007785d41b4a8dd750aaec48cc69','ee86dc119037421cc1f35bb47a79d2e67e33dd73bbb38c73ec9489868fadcb5a','2026-11-30 11:22:11.621755','2026-11-30 11:22:11.621755',NULL,2,2,NULL,'4b11432c1647cdc81bb69cd38063b2a5');
CREATE TABLE webhook_endpoints (
	name VARCHAR(64) NOT NULL, 
	position VARCHAR(64) NOT NULL, 
	attempts INTEGER NOT NULL, 
	failing_since DATETIME, 
	next_attempt_at DATETIME, 
	last_attempt_at DATETIME, 
	last_status INTEGER, 
	last_answer VARCHAR(200), 
	paused VARCHAR(32), 
	fence BIGINT NOT NULL, 
	holder VARCHAR(255), 
	process VARCHAR(255), 
	expires DOUBLE NOT NULL, 
	CONSTRAINT pk_webhook_endpoints PRIMARY KEY (name)
);
INSERT INTO "webhook_endpoints" VALUES('shop','16f674bff695-12-efd176d4fcea731efa062c36',0,NULL,NULL,'2026-11-30 11:22:11.302321',204,'',NULL,1,NULL,NULL,0.0);
CREATE INDEX ix_template_tags_tag_id ON template_tags (tag_id);
CREATE INDEX ix_sync_runs_status_finished_at ON sync_runs (status, finished_at);
CREATE INDEX ix_template_changes_template_id ON template_changes (template_id);
CREATE VIEW current_prices AS SELECT p.template_id, t.title, t.title_en, p.resolution, p.position, p.credit FROM consume_items p JOIN templates t ON t.template_id = p.template_id WHERE t.removed_at IS NULL;
CREATE UNIQUE INDEX ix_template_changes_cursor ON template_changes (cursor);
CREATE INDEX ix_templates_released_at_template_id_removed_at ON templates (released_at, template_id, removed_at);
CREATE INDEX ix_templates_template_type_released_at_template_id_removed_at ON templates (template_type, released_at, template_id, removed_at);
CREATE INDEX ix_templates_removed_at ON templates (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX ix_templates_changed_at ON templates (changed_at);
CREATE INDEX ix_consume_items_resolution_credit_template_id ON consume_items (resolution, credit, template_id);
CREATE INDEX ix_template_aspect_ratios_aspect_ratio_template_id ON template_aspect_ratios (aspect_ratio, template_id);
CREATE VIEW current_templates AS SELECT seen.*, replace(replace(seen.released_at, ' ', 'T'), '.000000', '') || 'Z' AS released_at_iso, replace(replace(seen.first_seen_at, ' ', 'T'), '.000000', '') || 'Z' AS first_seen_at_iso, replace(replace(seen.changed_at, ' ', 'T'), '.000000', '') || 'Z' AS changed_at_iso FROM (SELECT template_id, media_id, service_id, title, title_en, cover_url, cover_aspect_ratio, preview_video_url, duration_ms, template_type, input_requirement, input_num, released_at, extra, content_hash, first_seen_at, changed_at, first_seen_run_id, changed_run_id FROM templates WHERE removed_at IS NULL) seen;
CREATE VIEW price_history AS SELECT seen.*, replace(replace(seen.valid_from, ' ', 'T'), '.000000', '') || 'Z' AS valid_from_iso, replace(replace(seen.valid_until, ' ', 'T'), '.000000', '') || 'Z' AS valid_until_iso FROM (SELECT template_id, resolution, credit, valid_from, valid_until FROM price_periods) seen;
CREATE VIEW change_feed AS SELECT seen.*, replace(replace(seen.at, ' ', 'T'), '.000000', '') || 'Z' AS at_iso FROM (SELECT c.seq, c.run_id, c.at, c.template_id, c.kind, c.fields, c.evidence, v.document, c.breaking, c.cursor FROM template_changes c LEFT JOIN template_versions v ON v.template_id = c.template_id AND v.from_run_id = c.run_id AND c.kind <> 'removed') seen;
CREATE VIEW sync_status AS SELECT seen.*, replace(replace(seen.last_attempt_at, ' ', 'T'), '.000000', '') || 'Z' AS last_attempt_at_iso, replace(replace(seen.last_success_at, ' ', 'T'), '.000000', '') || 'Z' AS last_success_at_iso, replace(replace(seen.last_change_at, ' ', 'T'), '.000000', '') || 'Z' AS last_change_at_iso FROM (SELECT moments.*, round((julianday('now') - julianday(moments.last_attempt_at)) * 86400.0, 3) AS last_attempt_age_seconds, round((julianday('now') - julianday(moments.last_success_at)) * 86400.0, 3) AS last_success_age_seconds, round((julianday('now') - julianday(moments.last_change_at)) * 86400.0, 3) AS last_change_age_seconds, (SELECT count(*) FROM templates WHERE removed_at IS NULL) AS present_count, s.feed_epoch, s.oldest_seq, s.last_seq, s.last_cursor AS cursor FROM (SELECT (SELECT max(started_at) FROM sync_runs) AS last_attempt_at, (SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND pages > 0) AS last_success_at, (SELECT max(changed_at) FROM templates) AS last_change_at) moments CROSS JOIN sync_state s) seen;
CREATE VIEW current_tags AS SELECT x.template_id, x.position, x.tag_id, g.name, g.name_en FROM template_tags x JOIN tags g ON g.tag_id = x.tag_id JOIN templates t ON t.template_id = x.template_id WHERE t.removed_at IS NULL;
CREATE VIEW picker AS SELECT t.template_id, t.title, t.title_en, t.cover_url, t.cover_aspect_ratio, t.preview_video_url, t.duration_ms, t.template_type, t.input_requirement, t.input_num, cast((SELECT min(p.credit) FROM consume_items p WHERE p.template_id = t.template_id) AS real) AS lowest_credit, (SELECT json_extract(v.document, '$.consume_items') FROM template_versions v WHERE v.template_id = t.template_id AND v.until_run_id IS NULL) AS prices, (SELECT json_extract(v.document, '$.tags') FROM template_versions v WHERE v.template_id = t.template_id AND v.until_run_id IS NULL) AS tags, (SELECT json_extract(v.document, '$.aspect_ratios') FROM template_versions v WHERE v.template_id = t.template_id AND v.until_run_id IS NULL) AS aspect_ratios, t.released_at, t.first_seen_at, t.changed_at, replace(replace(t.released_at, ' ', 'T'), '.000000', '') || 'Z' AS released_at_iso, replace(replace(t.first_seen_at, ' ', 'T'), '.000000', '') || 'Z' AS first_seen_at_iso, replace(replace(t.changed_at, ' ', 'T'), '.000000', '') || 'Z' AS changed_at_iso FROM templates t WHERE t.removed_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sync_runs',2);
COMMIT;
