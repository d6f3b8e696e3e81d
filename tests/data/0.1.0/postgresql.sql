SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.template_changes (
    seq bigint NOT NULL,
    run_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    kind character varying(16) NOT NULL COLLATE pg_catalog."C",
    fields jsonb,
    evidence character varying(16) COLLATE pg_catalog."C",
    CONSTRAINT ck_template_changes_ck_template_changes_kind CHECK (((kind)::text = ANY ((ARRAY['added'::character varying, 'removed'::character varying, 'changed'::character varying])::text[])))
);

CREATE TABLE public.template_versions (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    from_run_id bigint NOT NULL,
    until_run_id bigint,
    document jsonb NOT NULL,
    content_hash character varying(64) NOT NULL COLLATE pg_catalog."C"
);

CREATE VIEW public.change_feed AS
 SELECT c.seq,
    c.run_id,
    c.at,
    c.template_id,
    c.kind,
    c.fields,
    c.evidence,
    v.document
   FROM (public.template_changes c
     LEFT JOIN public.template_versions v ON ((((v.template_id)::text = (c.template_id)::text) AND (v.from_run_id = c.run_id) AND ((c.kind)::text <> 'removed'::text))));

CREATE TABLE public.consume_items (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    resolution character varying(64) NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    credit numeric(30,15) NOT NULL
);

CREATE TABLE public.templates (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    media_id character varying(255) COLLATE pg_catalog."C",
    service_id character varying(255) COLLATE pg_catalog."C",
    title text,
    title_en text,
    cover_url text,
    cover_aspect_ratio character varying(64) COLLATE pg_catalog."C",
    preview_video_url text,
    duration_ms bigint,
    template_type character varying(255) COLLATE pg_catalog."C",
    input_requirement text,
    input_num integer,
    released_at timestamp with time zone,
    extra jsonb NOT NULL,
    content_hash character varying(64) NOT NULL COLLATE pg_catalog."C",
    fingerprint character varying(64) NOT NULL COLLATE pg_catalog."C",
    first_seen_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    first_seen_run_id bigint NOT NULL,
    changed_run_id bigint NOT NULL,
    removed_run_id bigint
);

CREATE VIEW public.current_prices AS
 SELECT p.template_id,
    t.title,
    t.title_en,
    p.resolution,
    p."position",
    p.credit
   FROM (public.consume_items p
     JOIN public.templates t ON (((t.template_id)::text = (p.template_id)::text)))
  WHERE (t.removed_at IS NULL);

CREATE VIEW public.current_templates AS
 SELECT templates.template_id,
    templates.media_id,
    templates.service_id,
    templates.title,
    templates.title_en,
    templates.cover_url,
    templates.cover_aspect_ratio,
    templates.preview_video_url,
    templates.duration_ms,
    templates.template_type,
    templates.input_requirement,
    templates.input_num,
    templates.released_at,
    templates.extra,
    templates.content_hash,
    templates.first_seen_at,
    templates.changed_at,
    templates.first_seen_run_id,
    templates.changed_run_id
   FROM public.templates
  WHERE (templates.removed_at IS NULL);

CREATE TABLE public.held_removals (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    since_run_id bigint NOT NULL,
    runs integer NOT NULL
);

CREATE TABLE public.price_periods (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    resolution character varying(64) NOT NULL COLLATE pg_catalog."C",
    from_run_id bigint NOT NULL,
    credit numeric(30,15) NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone
);

CREATE VIEW public.price_history AS
 SELECT price_periods.template_id,
    price_periods.resolution,
    price_periods.credit,
    price_periods.valid_from,
    price_periods.valid_until
   FROM public.price_periods;

CREATE TABLE public.rejected_templates (
    run_id bigint NOT NULL,
    ordinal integer NOT NULL,
    page integer NOT NULL,
    "position" integer NOT NULL,
    template_id character varying(255) COLLATE pg_catalog."C",
    reason text NOT NULL,
    payload text NOT NULL
);

CREATE TABLE public.sync_alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.sync_lease (
    name character varying(16) NOT NULL COLLATE pg_catalog."C",
    fence bigint NOT NULL,
    holder character varying(255) COLLATE pg_catalog."C",
    process character varying(255) COLLATE pg_catalog."C",
    expires double precision NOT NULL
);

CREATE TABLE public.sync_runs (
    run_id bigint NOT NULL,
    trigger character varying(16) NOT NULL COLLATE pg_catalog."C",
    status character varying(16) NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    catalog_total bigint,
    pages integer DEFAULT 0 NOT NULL,
    requests integer DEFAULT 0 NOT NULL,
    retries integer DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT '0'::bigint NOT NULL,
    seen integer DEFAULT 0 NOT NULL,
    added integer DEFAULT 0 NOT NULL,
    removed integer DEFAULT 0 NOT NULL,
    changed integer DEFAULT 0 NOT NULL,
    unchanged integer DEFAULT 0 NOT NULL,
    rejected integer DEFAULT 0 NOT NULL,
    held integer DEFAULT 0 NOT NULL,
    fields_appeared jsonb,
    fields_vanished jsonb,
    error_code character varying(32) COLLATE pg_catalog."C",
    error text,
    fence bigint,
    holder character varying(255) NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT ck_sync_runs_ck_sync_runs_status CHECK (((status)::text = ANY ((ARRAY['running'::character varying, 'succeeded'::character varying, 'held'::character varying, 'incomplete'::character varying, 'deferred'::character varying, 'failed'::character varying, 'skipped'::character varying, 'interrupted'::character varying])::text[])))
);

CREATE SEQUENCE public.sync_runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.sync_runs_run_id_seq OWNED BY public.sync_runs.run_id;

CREATE TABLE public.sync_state (
    name character varying(16) NOT NULL COLLATE pg_catalog."C",
    last_seq bigint NOT NULL,
    oldest_seq bigint NOT NULL,
    wire_fields jsonb,
    absent_fields jsonb,
    unreconciled_ids character varying(64) COLLATE pg_catalog."C",
    unreconciled_runs integer NOT NULL,
    next_run_at timestamp with time zone
);

CREATE VIEW public.sync_status AS
 SELECT moments.last_attempt_at,
    moments.last_success_at,
    moments.last_change_at,
    (EXTRACT(epoch FROM (clock_timestamp() - moments.last_attempt_at)))::double precision AS last_attempt_age_seconds,
    (EXTRACT(epoch FROM (clock_timestamp() - moments.last_success_at)))::double precision AS last_success_age_seconds,
    (EXTRACT(epoch FROM (clock_timestamp() - moments.last_change_at)))::double precision AS last_change_age_seconds,
    ( SELECT count(*) AS count
           FROM public.templates
          WHERE (templates.removed_at IS NULL)) AS present_count
   FROM ( SELECT ( SELECT max(sync_runs.started_at) AS max
                   FROM public.sync_runs) AS last_attempt_at,
            ( SELECT max(sync_runs.finished_at) AS max
                   FROM public.sync_runs
                  WHERE (((sync_runs.status)::text = 'succeeded'::text) AND (sync_runs.pages > 0))) AS last_success_at,
            ( SELECT max(templates.changed_at) AS max
                   FROM public.templates) AS last_change_at) moments;

CREATE TABLE public.tags (
    tag_id integer NOT NULL,
    name character varying(255) NOT NULL COLLATE pg_catalog."C",
    name_en character varying(255) COLLATE pg_catalog."C"
);

CREATE TABLE public.template_aspect_ratios (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    aspect_ratio character varying(64) NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.template_tags (
    template_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    tag_id integer NOT NULL
);

ALTER TABLE ONLY public.sync_runs ALTER COLUMN run_id SET DEFAULT nextval('public.sync_runs_run_id_seq'::regclass);

INSERT INTO public.consume_items VALUES ('105', '480p', 0, 166.500000000000000);
INSERT INTO public.consume_items VALUES ('105', '720p', 1, 355.200000000000000);
INSERT INTO public.consume_items VALUES ('101', '480p', 0, 166.500000000000000);
INSERT INTO public.consume_items VALUES ('101', '720p', 1, 355.200000000000000);
INSERT INTO public.consume_items VALUES ('102', '480p', 0, 166.500000000000000);
INSERT INTO public.consume_items VALUES ('102', '720p', 1, 355.200000000000000);
INSERT INTO public.consume_items VALUES ('103', '480p', 0, 166.500000000000000);
INSERT INTO public.consume_items VALUES ('103', '720p', 1, 355.200000000000000);
INSERT INTO public.consume_items VALUES ('104', '1080p', 0, 123456789.012345000000000);
INSERT INTO public.consume_items VALUES ('104', '4k', 1, 0.000000000000000);
INSERT INTO public.consume_items VALUES ('106', '480p', 0, 166.500000000000000);
INSERT INTO public.consume_items VALUES ('106', '720p', 1, 355.200000000000000);

INSERT INTO public.held_removals VALUES ('101', 9, 1);
INSERT INTO public.held_removals VALUES ('102', 9, 1);
INSERT INTO public.held_removals VALUES ('103', 9, 1);
INSERT INTO public.held_removals VALUES ('104', 9, 1);
INSERT INTO public.held_removals VALUES ('105', 9, 1);
INSERT INTO public.held_removals VALUES ('106', 9, 1);

INSERT INTO public.price_periods VALUES ('101', '720p', 1, 355.200000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('102', '480p', 1, 166.500000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('102', '720p', 1, 355.200000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('103', '480p', 1, 166.500000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('103', '720p', 1, 355.200000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('104', '1080p', 1, 123456789.012345000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('104', '4k', 1, 0.000000000000000, '2026-11-01 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('101', '480p', 1, 166.500000000000000, '2026-11-01 12:00:01.123456+00', '2026-11-03 12:00:01.123456+00');
INSERT INTO public.price_periods VALUES ('106', '480p', 3, 166.500000000000000, '2026-11-03 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('106', '720p', 3, 355.200000000000000, '2026-11-03 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('105', '480p', 1, 166.500000000000000, '2026-11-01 12:00:01.123456+00', '2026-11-04 12:00:01.123456+00');
INSERT INTO public.price_periods VALUES ('105', '720p', 1, 355.200000000000000, '2026-11-01 12:00:01.123456+00', '2026-11-04 12:00:01.123456+00');
INSERT INTO public.price_periods VALUES ('101', '480p', 3, 170.000000000000000, '2026-11-03 12:00:01.123456+00', '2026-11-07 12:00:01.123456+00');
INSERT INTO public.price_periods VALUES ('105', '480p', 7, 166.500000000000000, '2026-11-07 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('105', '720p', 7, 355.200000000000000, '2026-11-07 12:00:01.123456+00', NULL);
INSERT INTO public.price_periods VALUES ('101', '480p', 7, 166.500000000000000, '2026-11-07 12:00:01.123456+00', NULL);

INSERT INTO public.rejected_templates VALUES (6, 1, 1, 0, '101', 'Title must be a string, not a number', '{"ConsumeItems": [{"Credit": 170, "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/101.jpeg?x-signature=1", "Duration": 10123, "InputNum": 1, "MediaId": "m101", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "TemplateId": "101", "Title": 5, "Title_en": "Battle Game"}');
INSERT INTO public.rejected_templates VALUES (6, 2, 1, 5, '107', 'Duration must be a number, not a string', '{"ConsumeItems": [{"Credit": "166.5", "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/107.jpeg?x-signature=1", "Duration": "long", "InputNum": 1, "MediaId": "m107", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "TemplateId": "107", "Title": "\u6218\u6597\u6e38\u620f", "Title_en": "Battle Game"}');
INSERT INTO public.rejected_templates VALUES (6, 3, 1, 6, NULL, 'TemplateId is missing or empty', '{"ConsumeItems": [{"Credit": "166.5", "Resolution": "480p"}, {"Credit": "355.2", "Resolution": "720p"}], "Cover": "https://media.example/108.jpeg?x-signature=1", "Duration": 10123, "InputNum": 1, "MediaId": "m108", "ReleaseOnlineTime": 1779421051, "SupportAspectRatio": "9:16,1:1", "Tags": ["\u70ed\u95e8", "\ud83d\udd25\u65b0"], "Tags_en": ["Trending", "\ud83d\udd25New"], "Title": "\u6218\u6597\u6e38\u620f", "Title_en": "Battle Game"}');

INSERT INTO public.sync_alembic_version VALUES ('0001');

INSERT INTO public.sync_lease VALUES ('sync', 10, NULL, NULL, 0);

INSERT INTO public.sync_runs VALUES (1, 'run', 'succeeded', '2026-11-01 12:00:00.123456+00', '2026-11-01 12:00:01.123456+00', 6, 1, 1, 0, 2880, 6, 6, 0, 0, 0, 0, 0, '["Mood"]', NULL, NULL, NULL, 1, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (2, 'run', 'succeeded', '2026-11-02 12:00:00.123456+00', '2026-11-02 12:00:01.123456+00', 6, 1, 1, 0, 2880, 6, 0, 0, 0, 6, 0, 0, NULL, NULL, NULL, NULL, 2, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (3, 'run', 'succeeded', '2026-11-03 12:00:00.123456+00', '2026-11-03 12:00:01.123456+00', 7, 1, 1, 0, 3337, 7, 1, 0, 3, 3, 0, 0, '["PreviewVideo"]', NULL, NULL, NULL, 3, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (4, 'run', 'succeeded', '2026-11-04 12:00:00.123456+00', '2026-11-04 12:00:01.123456+00', 5, 1, 3, 0, 2695, 5, 0, 2, 0, 5, 0, 0, NULL, NULL, NULL, NULL, 4, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (5, 'run', 'succeeded', '2026-11-05 12:00:00.123456+00', '2026-11-05 12:00:01.123456+00', 5, 1, 1, 0, 2452, 5, 0, 0, 1, 4, 0, 0, NULL, '["Mood"]', NULL, NULL, 5, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (6, 'run', 'succeeded', '2026-11-06 12:00:00.123456+00', '2026-11-06 12:00:01.123456+00', 7, 1, 1, 0, 3414, 6, 0, 0, 1, 3, 3, 0, '["Mood"]', NULL, NULL, NULL, 6, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (7, 'run', 'succeeded', '2026-11-07 12:00:00.123456+00', '2026-11-07 12:00:01.123456+00', 6, 1, 1, 0, 3123, 6, 1, 0, 1, 4, 0, 0, '["Level"]', NULL, NULL, NULL, 7, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (8, 'run', 'deferred', '2026-11-08 12:00:00.123456+00', '2026-11-08 12:00:01.123456+00', NULL, 0, 1, 0, 44, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, '455', 'The catalog is under maintenance (455). It said: no', 8, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (9, 'run', 'held', '2026-11-09 12:00:00.123456+00', '2026-11-09 12:00:01.123456+00', 0, 1, 7, 0, 518, 0, 0, 0, 0, 0, 0, 6, NULL, NULL, 'held', '6 removals are held: the catalog is empty, and that is accepted by a person only.', 9, 'somewhere (pid 1)');
INSERT INTO public.sync_runs VALUES (10, 'run', 'incomplete', '2026-11-10 12:00:00.123456+00', '2026-11-10 12:00:01.123456+00', 9, 1, 3, 0, 222, 0, 0, 0, 0, 0, 0, 6, NULL, NULL, 'unverified', 'The walk could not be verified: the catalog says that it has 9 templates, but served 0. What was served is stored; nothing was removed.', 10, 'somewhere (pid 1)');

INSERT INTO public.sync_state VALUES ('sync', 16, 1, '["ConsumeItems", "Cover", "Duration", "InputNum", "Level", "MediaId", "Mood", "PreviewVideo", "ReleaseOnlineTime", "SupportAspectRatio", "Tags", "Tags_en", "TemplateId", "Title", "Title_en"]', NULL, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 1, NULL);

INSERT INTO public.tags VALUES (1, '热门', 'Trending');
INSERT INTO public.tags VALUES (2, '🔥新', '🔥New');
INSERT INTO public.tags VALUES (3, 'hot', 'hot');
INSERT INTO public.tags VALUES (4, 'Hot', 'Hot');
INSERT INTO public.tags VALUES (5, 'hot ', 'hot ');
INSERT INTO public.tags VALUES (6, 'café', 'café');
INSERT INTO public.tags VALUES (7, 'cafe', 'cafe');
INSERT INTO public.tags VALUES (8, '热门', NULL);
INSERT INTO public.tags VALUES (9, '🔥新', NULL);

INSERT INTO public.template_aspect_ratios VALUES ('109', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('109', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('105', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('105', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('101', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('101', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('102', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('102', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('103', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('103', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('104', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('104', 1, '1:1');
INSERT INTO public.template_aspect_ratios VALUES ('106', 0, '9:16');
INSERT INTO public.template_aspect_ratios VALUES ('106', 1, '1:1');

INSERT INTO public.template_changes VALUES (1, 1, '2026-11-01 12:00:01.123456+00', '101', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (2, 1, '2026-11-01 12:00:01.123456+00', '102', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (3, 1, '2026-11-01 12:00:01.123456+00', '103', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (4, 1, '2026-11-01 12:00:01.123456+00', '104', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (5, 1, '2026-11-01 12:00:01.123456+00', '105', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (6, 1, '2026-11-01 12:00:01.123456+00', '109', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (7, 3, '2026-11-03 12:00:01.123456+00', '106', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (8, 3, '2026-11-03 12:00:01.123456+00', '101', 'changed', '[{"new": 170, "old": 166.5, "field": "consume_items.480p"}]', NULL);
INSERT INTO public.template_changes VALUES (9, 3, '2026-11-03 12:00:01.123456+00', '102', 'changed', '[{"new": "Renamed", "old": "Battle Game", "field": "title_en"}]', NULL);
INSERT INTO public.template_changes VALUES (10, 3, '2026-11-03 12:00:01.123456+00', '103', 'changed', '[{"new": [{"name": "热门", "name_en": "Trending"}], "old": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "lost": [{"name": "🔥新", "name_en": "🔥New"}], "field": "tags", "gained": []}]', NULL);
INSERT INTO public.template_changes VALUES (11, 4, '2026-11-04 12:00:01.123456+00', '105', 'removed', NULL, 'lookup');
INSERT INTO public.template_changes VALUES (12, 4, '2026-11-04 12:00:01.123456+00', '109', 'removed', NULL, 'lookup');
INSERT INTO public.template_changes VALUES (13, 5, '2026-11-05 12:00:01.123456+00', '103', 'changed', '[{"new": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "old": [{"name": "热门", "name_en": "Trending"}], "lost": [], "field": "tags", "gained": [{"name": "🔥新", "name_en": "🔥New"}]}]', NULL);
INSERT INTO public.template_changes VALUES (14, 6, '2026-11-06 12:00:01.123456+00', '103', 'changed', '[{"new": [{"name": "热门", "name_en": "Trending"}], "old": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "lost": [{"name": "🔥新", "name_en": "🔥New"}], "field": "tags", "gained": []}]', NULL);
INSERT INTO public.template_changes VALUES (15, 7, '2026-11-07 12:00:01.123456+00', '105', 'added', NULL, NULL);
INSERT INTO public.template_changes VALUES (16, 7, '2026-11-07 12:00:01.123456+00', '101', 'changed', '[{"new": 9999, "old": 10123, "field": "duration_ms"}, {"new": 166.5, "old": 170, "field": "consume_items.480p"}]', NULL);

INSERT INTO public.template_tags VALUES ('109', 0, 8);
INSERT INTO public.template_tags VALUES ('109', 1, 9);
INSERT INTO public.template_tags VALUES ('105', 0, 1);
INSERT INTO public.template_tags VALUES ('105', 1, 2);
INSERT INTO public.template_tags VALUES ('101', 0, 1);
INSERT INTO public.template_tags VALUES ('101', 1, 2);
INSERT INTO public.template_tags VALUES ('102', 0, 1);
INSERT INTO public.template_tags VALUES ('102', 1, 2);
INSERT INTO public.template_tags VALUES ('103', 0, 1);
INSERT INTO public.template_tags VALUES ('104', 0, 3);
INSERT INTO public.template_tags VALUES ('104', 1, 4);
INSERT INTO public.template_tags VALUES ('104', 2, 5);
INSERT INTO public.template_tags VALUES ('104', 3, 6);
INSERT INTO public.template_tags VALUES ('104', 4, 7);
INSERT INTO public.template_tags VALUES ('106', 0, 1);
INSERT INTO public.template_tags VALUES ('106', 1, 2);

INSERT INTO public.template_versions VALUES ('101', 1, 3, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {}, "title": "战斗游戏", "media_id": "m101", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "101", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '571d120eb1b7d5637525a1894e633de89ef5937680ad30f67ee9564f6bcd5325');
INSERT INTO public.template_versions VALUES ('102', 1, 3, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {}, "title": "战斗游戏", "media_id": "m102", "title_en": "Battle Game", "cover_url": "https://media.example/102.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "102", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '3d75fccec0ab35b16e4ef4a4f80fb1df450e7a8d925fd25f228d5883fa2ae4c3');
INSERT INTO public.template_versions VALUES ('105', 1, 4, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {}, "title": "战斗游戏", "media_id": "m105", "title_en": "Battle Game", "cover_url": "https://media.example/105.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "105", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '2230b7489fa9bc80abdc7f27b898743b18eb42c3ac4b05dd14f2a67cb964046b');
INSERT INTO public.template_versions VALUES ('109', 1, 4, '{"tags": [{"name": "热门", "name_en": null}, {"name": "🔥新", "name_en": null}], "extra": {}, "title": "战斗游戏", "media_id": "m109", "title_en": "Battle Game", "cover_url": "https://media.example/109.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "109", "aspect_ratios": ["9:16", "1:1"], "consume_items": [], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca');
INSERT INTO public.template_versions VALUES ('106', 3, NULL, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Level": null}, "title": "战斗游戏", "media_id": null, "title_en": "Battle Game", "cover_url": "https://media.example/106.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "106", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06');
INSERT INTO public.template_versions VALUES ('103', 1, 3, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Mood": "calm"}, "title": "战斗游戏", "media_id": "m103", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "103", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', 'a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO public.template_versions VALUES ('103', 3, 5, '{"tags": [{"name": "热门", "name_en": "Trending"}], "extra": {"Mood": "calm"}, "title": "战斗游戏", "media_id": "m103", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "103", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '2033dc4c955b2f09bd9faa8bf302371354a6c8d74d91bc960c6374a96a9c8084');
INSERT INTO public.template_versions VALUES ('103', 5, 6, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Mood": "calm"}, "title": "战斗游戏", "media_id": "m103", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "103", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', 'a4622d7bb3d6c04528da203d1552ded35b595b17944d2be8ffb4d031642fcf83');
INSERT INTO public.template_versions VALUES ('105', 7, NULL, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Level": {"min": 2}}, "title": "战斗游戏", "media_id": "m105", "title_en": "Back again", "cover_url": "https://media.example/105.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "105", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', 'b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0');
INSERT INTO public.template_versions VALUES ('101', 3, 7, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {}, "title": "战斗游戏", "media_id": "m101", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "101", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 170, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '5f3661c38f5cd638d8d2c6a81f0135d90fdb2b3779df9b68d75b5318fb971364');
INSERT INTO public.template_versions VALUES ('101', 7, NULL, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Level": {"min": 1}}, "title": "战斗游戏", "media_id": "m101", "title_en": "Battle Game", "cover_url": "https://media.example/101.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 9999, "released_at": "2026-05-22T03:37:31Z", "template_id": "101", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4');
INSERT INTO public.template_versions VALUES ('102', 3, NULL, '{"tags": [{"name": "热门", "name_en": "Trending"}, {"name": "🔥新", "name_en": "🔥New"}], "extra": {"Level": {"min": 1}}, "title": "战斗游戏", "media_id": "m102", "title_en": "Renamed", "cover_url": "https://media.example/102.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "102", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5');
INSERT INTO public.template_versions VALUES ('103', 6, NULL, '{"tags": [{"name": "热门", "name_en": "Trending"}], "extra": {"Mood": "calm", "Level": {"min": 1}}, "title": "战斗游戏", "media_id": "m103", "title_en": "Battle Game", "cover_url": "https://media.example/103.jpeg?x-signature=1", "input_num": 1, "service_id": null, "duration_ms": 10123, "released_at": "2026-05-22T03:37:31Z", "template_id": "103", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 166.5, "resolution": "480p"}, {"credit": 355.2, "resolution": "720p"}], "template_type": null, "input_requirement": null, "preview_video_url": null, "cover_aspect_ratio": null}', '050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461');
INSERT INTO public.template_versions VALUES ('104', 1, NULL, '{"tags": [{"name": "hot", "name_en": "hot"}, {"name": "Hot", "name_en": "Hot"}, {"name": "hot ", "name_en": "hot "}, {"name": "café", "name_en": "café"}, {"name": "cafe", "name_en": "cafe"}], "extra": {"Mood": {"on": true, "off": false, "url": "https://media.example/x?sig=1", "none": null, "level": [1, 2.5, 10000000000000000000000, -7]}, "Level": {"min": 1}}, "title": "O''Brien; \"50 %\" \\ back — naïve Ünïcode 👩‍👩‍👧", "media_id": "m104", "title_en": "  spaces at both ends  ", "cover_url": null, "input_num": null, "service_id": null, "duration_ms": 10123, "released_at": null, "template_id": "104", "aspect_ratios": ["9:16", "1:1"], "consume_items": [{"credit": 123456789.012345, "resolution": "1080p"}, {"credit": 0, "resolution": "4k"}], "template_type": null, "input_requirement": null, "preview_video_url": "https://media.example/preview.mp4?x-signature=2", "cover_aspect_ratio": null}', '78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f');

INSERT INTO public.templates VALUES ('109', 'm109', NULL, '战斗游戏', 'Battle Game', 'https://media.example/109.jpeg?x-signature=1', NULL, NULL, 10123, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{}', '384dc36516b89ada63ef15242ca20b2ae00c71ef8dfbd95740926887161f5fca', '30ff223c63545d3c82f8b0f1dd548cceea6d46a086d2fd4be11cb1db7b794e8b', '2026-11-01 12:00:01.123456+00', '2026-11-04 12:00:01.123456+00', '2026-11-04 12:00:01.123456+00', 1, 4, 4);
INSERT INTO public.templates VALUES ('105', 'm105', NULL, '战斗游戏', 'Back again', 'https://media.example/105.jpeg?x-signature=1', NULL, NULL, 10123, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{"Level": {"min": 2}}', 'b3fd2b921635fd05012a2aac39ea207695b83c0ad0abe64be6de99fea7f20dc0', 'ca26bc1f02d49ba2bd46b80b3668397e9645e9e249d697aa1b300973099ac38b', '2026-11-01 12:00:01.123456+00', '2026-11-07 12:00:01.123456+00', NULL, 1, 7, NULL);
INSERT INTO public.templates VALUES ('101', 'm101', NULL, '战斗游戏', 'Battle Game', 'https://media.example/101.jpeg?x-signature=1', NULL, NULL, 9999, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{"Level": {"min": 1}}', '3d1588c2dc1c0ec66c4e4d947f3e69717f164b3b5c7f42ad59fba25cf38ad5c4', '46b9e711909ba97d2820014bd901193e0f489fe08b3165d1135f62cfcf780122', '2026-11-01 12:00:01.123456+00', '2026-11-07 12:00:01.123456+00', NULL, 1, 7, NULL);
INSERT INTO public.templates VALUES ('102', 'm102', NULL, '战斗游戏', 'Renamed', 'https://media.example/102.jpeg?x-signature=1', NULL, NULL, 10123, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{"Level": {"min": 1}}', '622139a975d411c51f0fb2dc00a9cca5fe82914a5315ac3c598ea21b0c562cd5', 'dd763d2d5c492019ee08104e5de0845b4a65909b900b2159ea09906efcd00bdb', '2026-11-01 12:00:01.123456+00', '2026-11-03 12:00:01.123456+00', NULL, 1, 3, NULL);
INSERT INTO public.templates VALUES ('103', 'm103', NULL, '战斗游戏', 'Battle Game', 'https://media.example/103.jpeg?x-signature=1', NULL, NULL, 10123, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{"Mood": "calm", "Level": {"min": 1}}', '050c1dcc232f55c26007c83f9540d403128c4f3cf8ca296f780a150859d69461', 'b3730b53c1201d57227505e94c33bfa0ea24d82792a58a92a10d92cba23b1a6c', '2026-11-01 12:00:01.123456+00', '2026-11-06 12:00:01.123456+00', NULL, 1, 6, NULL);
INSERT INTO public.templates VALUES ('104', 'm104', NULL, 'O''Brien; "50 %" \ back — naïve Ünïcode 👩‍👩‍👧', '  spaces at both ends  ', NULL, NULL, 'https://media.example/preview.mp4?x-signature=2', 10123, NULL, NULL, NULL, NULL, '{"Mood": {"on": true, "off": false, "url": "https://media.example/x?sig=1", "none": null, "level": [1, 2.5, 10000000000000000000000, -7]}, "Level": {"min": 1}}', '78877fb218553718ea172e959c4dde4d5106bde38ffefb5e22e27a5f0bd3224f', '4af5e2b48777fb936248b4cafd633bfdee9ff894f243d5c980b0e194edc2d35b', '2026-11-01 12:00:01.123456+00', '2026-11-01 12:00:01.123456+00', NULL, 1, 1, NULL);
INSERT INTO public.templates VALUES ('106', NULL, NULL, '战斗游戏', 'Battle Game', 'https://media.example/106.jpeg?x-signature=1', NULL, NULL, 10123, NULL, NULL, 1, '2026-05-22 03:37:31+00', '{"Level": null}', '5b1e3c712ad0885e06e1fb9864eadc2dad57e2494de008f1e068fc2e5b394d06', 'e0a6ae203946ad8a5a02dca9b26c0d6a71ea08bf0873d414370ecb3606b74351', '2026-11-03 12:00:01.123456+00', '2026-11-03 12:00:01.123456+00', NULL, 3, 3, NULL);

SELECT pg_catalog.setval('public.sync_runs_run_id_seq', 10, true);

ALTER TABLE ONLY public.consume_items
    ADD CONSTRAINT pk_consume_items PRIMARY KEY (template_id, resolution);

ALTER TABLE ONLY public.held_removals
    ADD CONSTRAINT pk_held_removals PRIMARY KEY (template_id);

ALTER TABLE ONLY public.price_periods
    ADD CONSTRAINT pk_price_periods PRIMARY KEY (template_id, resolution, from_run_id);

ALTER TABLE ONLY public.rejected_templates
    ADD CONSTRAINT pk_rejected_templates PRIMARY KEY (run_id, ordinal);

ALTER TABLE ONLY public.sync_lease
    ADD CONSTRAINT pk_sync_lease PRIMARY KEY (name);

ALTER TABLE ONLY public.sync_runs
    ADD CONSTRAINT pk_sync_runs PRIMARY KEY (run_id);

ALTER TABLE ONLY public.sync_state
    ADD CONSTRAINT pk_sync_state PRIMARY KEY (name);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT pk_tags PRIMARY KEY (tag_id);

ALTER TABLE ONLY public.template_aspect_ratios
    ADD CONSTRAINT pk_template_aspect_ratios PRIMARY KEY (template_id, "position");

ALTER TABLE ONLY public.template_changes
    ADD CONSTRAINT pk_template_changes PRIMARY KEY (seq);

ALTER TABLE ONLY public.template_tags
    ADD CONSTRAINT pk_template_tags PRIMARY KEY (template_id, "position");

ALTER TABLE ONLY public.template_versions
    ADD CONSTRAINT pk_template_versions PRIMARY KEY (template_id, from_run_id);

ALTER TABLE ONLY public.templates
    ADD CONSTRAINT pk_templates PRIMARY KEY (template_id);

ALTER TABLE ONLY public.sync_alembic_version
    ADD CONSTRAINT sync_alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.sync_runs
    ADD CONSTRAINT uq_sync_runs_fence UNIQUE (fence);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT uq_tags_name_name_en UNIQUE (name, name_en);

ALTER TABLE ONLY public.template_changes
    ADD CONSTRAINT uq_template_changes_run_id_template_id UNIQUE (run_id, template_id);

CREATE INDEX ix_sync_runs_status_finished_at ON public.sync_runs USING btree (status, finished_at);

CREATE INDEX ix_template_changes_template_id ON public.template_changes USING btree (template_id);

CREATE INDEX ix_template_tags_tag_id ON public.template_tags USING btree (tag_id);

ALTER TABLE ONLY public.consume_items
    ADD CONSTRAINT fk_consume_items_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);

ALTER TABLE ONLY public.held_removals
    ADD CONSTRAINT fk_held_removals_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);

ALTER TABLE ONLY public.price_periods
    ADD CONSTRAINT fk_price_periods_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);

ALTER TABLE ONLY public.template_aspect_ratios
    ADD CONSTRAINT fk_template_aspect_ratios_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);

ALTER TABLE ONLY public.template_tags
    ADD CONSTRAINT fk_template_tags_tag_id FOREIGN KEY (tag_id) REFERENCES public.tags(tag_id);

ALTER TABLE ONLY public.template_tags
    ADD CONSTRAINT fk_template_tags_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);

ALTER TABLE ONLY public.template_versions
    ADD CONSTRAINT fk_template_versions_template_id FOREIGN KEY (template_id) REFERENCES public.templates(template_id);
