-- What people and scripts do with psql. The same text runs past the door and through it.
\getenv everything EVERYTHING
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset pager off
\encoding
\echo == tables
DROP SCHEMA IF EXISTS shell CASCADE;
CREATE SCHEMA shell;
CREATE TABLE shell.things (id serial PRIMARY KEY, name text NOT NULL UNIQUE, size numeric(9,2) CHECK (size > 0), born date);
CREATE TABLE shell.parts (id bigint PRIMARY KEY, thing int REFERENCES shell.things DEFERRABLE INITIALLY DEFERRED);
CREATE TYPE shell.mood AS ENUM ('glad', 'sad');
\d shell.things
\dt shell.*
\dT+ shell.*
\echo == copy in, out, inline
\copy shell.things (name, size) FROM PROGRAM 'printf "a,1\nb,2\nc,3\n"' WITH (FORMAT csv)
COPY shell.things (name, size, born) FROM STDIN;
d	4	2020-02-29
e	5	\N
\.
\copy shell.things TO STDOUT WITH (FORMAT csv, HEADER)
COPY (SELECT id, name FROM shell.things ORDER BY id) TO STDOUT;
\copy (SELECT name FROM shell.things WHERE size > 3) TO PROGRAM 'sort -r'
COPY shell.things (name, size) FROM STDIN;
f	6
g	not a number
\.
COPY shell.things (name, size) FROM STDIN;
h	1	too many
\.
COPY shell.things (name) FROM STDIN;
a
\.
COPY shell.nowhere FROM STDIN;
\copy shell.things (name) FROM '/nonexistent/file'
SELECT count(*) FROM shell.things;
\echo == describing, variables, shapes
SELECT id, name, size, born, now() AS at, ARRAY[1, 2] AS list, 'sad'::shell.mood FROM shell.things \gdesc
SELECT 1 AS one, NULL::xml AS none \gdesc
SELECT syntax error \gdesc
SELECT max(id) AS top, min(name) AS first FROM shell.things \gset got_
\echo :got_top :got_first
SELECT :got_top + 1 AS next, :'got_first' AS quoted;
SELECT name, born IS NULL AS unborn, size FROM shell.things WHERE size < 4 ORDER BY 1 \crosstabview
SELECT format('SELECT %s AS generated', n) FROM generate_series(1, 3) AS n \gexec
SELECT 1 AS a, 2 AS b \gx
SELECT nextval('shell.things_id_seq') > 0 AS moved, 10 / (12 - currval('shell.things_id_seq')) AS left \watch 0.05
\set FETCH_COUNT 7
SELECT n, repeat('x', 3) FROM generate_series(1, 20) AS n;
SELECT 1 / (15 - n) FROM generate_series(1, 20) AS n;
\unset FETCH_COUNT
\echo == errors with their place
SELECT 1 +;
SELEC 1;
SELECT 1\; SELEC 2;
SELECT nothing FROM shell.things;
SELECT
  'a' AS a,
  missing_function(1);
SELECT 1 / 0;
SELECT 'abc'::int;
INSERT INTO shell.things (name) VALUES ('a');
INSERT INTO shell.things (name, size) VALUES ('z', -1);
INSERT INTO shell.things (name) VALUES (NULL);
INSERT INTO shell.things (size) SELECT 'x' FROM generate_series(1, 2);
SELECT 'unterminated;
';
SELECT $$body$$, E'\n\\x', U&'\0041', B'101', x'ff';
\echo :ROW_COUNT :SQLSTATE :ERROR
SELECT 1/0;
\echo :SQLSTATE :LAST_ERROR_MESSAGE
\errverbose
\echo == empty, comments, several
;
-- only a comment
/* another */;
SELECT 1\; SELECT 2\; SELECT 3;
INSERT INTO shell.things (name) VALUES ('two-a')\; INSERT INTO shell.things (name) VALUES ('a')\; SELECT 1;
SELECT count(*) FROM shell.things WHERE name = 'two-a';
BEGIN\; INSERT INTO shell.things (name) VALUES ('kept')\; COMMIT\; SELECT 1/0;
SELECT count(*) FROM shell.things WHERE name = 'kept';
\echo == transactions
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO shell.things (name) VALUES ('t1');
INSERT INTO shell.things (name) VALUES ('t1');
SELECT 1/0;
INSERT INTO shell.things (name) VALUES ('t2');
SAVEPOINT mine;
INSERT INTO shell.things (name) VALUES ('t3');
ROLLBACK TO mine;
RELEASE mine;
RELEASE never;
COMMIT;
SELECT name FROM shell.things WHERE name LIKE 't_' ORDER BY 1;
\set ON_ERROR_ROLLBACK off
BEGIN;
SELECT 1/0;
SELECT 'ignored';
COMMIT;
COMMIT;
ROLLBACK AND CHAIN;
BEGIN;
BEGIN;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SHOW transaction_isolation;
INSERT INTO shell.things (name) VALUES ('read only');
END;
BEGIN;
INSERT INTO shell.parts VALUES (1, 999999);
COMMIT;
START TRANSACTION;
DECLARE walk SCROLL CURSOR WITH HOLD FOR SELECT id, name FROM shell.things ORDER BY id;
FETCH 2 FROM walk;
FETCH LAST FROM walk;
FETCH BACKWARD 1 FROM walk;
MOVE FIRST FROM walk;
COMMIT;
FETCH NEXT FROM walk;
CLOSE walk;
FETCH NEXT FROM walk;
\echo == prepared by name
PREPARE find (text) AS SELECT id, name FROM shell.things WHERE name = $1;
EXECUTE find('a');
EXECUTE find('b');
PREPARE find AS SELECT 1;
DEALLOCATE find;
\if :everything
EXECUTE find('a');
BEGIN;
PREPARE TRANSACTION 'two phases';
ROLLBACK;
\endif
DEALLOCATE ALL;
\echo == large objects
-- Made and asked about in SQL everywhere; psql's own commands call functions by their number, which only an
-- upstream that is observed takes.
SELECT lo_from_bytea(424242, 'a\000b') AS made;
SELECT lo_get(424242), lo_unlink(424242);
\if :everything
\set QUIET on
\getenv scratch SCRATCH
\set given :scratch/given
\set taken :scratch/taken
\! printf 'one\ntwo\0three' >"$SCRATCH/given"
\lo_import :given 'a comment'
SELECT lo_get(:LASTOID);
SELECT obj_description(:LASTOID, 'pg_largeobject');
\lo_export :LASTOID :taken
\! cmp "$SCRATCH/given" "$SCRATCH/taken" && echo same
\lo_unlink :LASTOID
SELECT count(*) FROM pg_largeobject_metadata;
\lo_import /nonexistent/file
\set QUIET off
\endif
\echo == settings and notices
SET application_name = 'probe';
SHOW application_name;
SET client_min_messages = debug1;
SET client_min_messages = notice;
SET datestyle = 'German, DMY';
SELECT date '2020-02-29';
SET timezone = 'Asia/Tokyo';
SELECT timestamptz '2020-01-01 00:00:00+00';
RESET ALL;
SELECT timestamptz '2020-01-01 00:00:00+00';
SET custom.thing = 'x';
SET no_such_setting = 1;
SET statement_timeout = '50ms';
SELECT pg_sleep(5);
SET statement_timeout = '1h';
CREATE TABLE IF NOT EXISTS shell.things (id int);
DROP TABLE IF EXISTS shell.gone;
SELECT 1 WHERE false;
UPDATE shell.things SET size = 1 WHERE name = 'a' RETURNING id, size;
DELETE FROM shell.things WHERE name = 'nobody';
MERGE INTO shell.things t USING (VALUES ('a'), ('merged')) AS v (name) ON t.name = v.name WHEN MATCHED THEN UPDATE SET size = 9 WHEN NOT MATCHED THEN INSERT (name) VALUES (v.name);
EXPLAIN (COSTS OFF) SELECT * FROM shell.things WHERE id = 1;
CREATE TEMP TABLE scratch AS SELECT n FROM generate_series(1, 5) AS n;
SELECT sum(n) FROM scratch;
TRUNCATE scratch;
VACUUM shell.things;
ANALYZE shell.things;
BEGIN;
VACUUM shell.things;
ROLLBACK;
CREATE INDEX CONCURRENTLY things_size ON shell.things (size);
LOCK TABLE shell.things;
LISTEN probe_channel;
NOTIFY probe_channel, 'hello';
SELECT pg_notify('probe_channel', 'again');
UNLISTEN *;
\echo == about
\conninfo
\l orders
\df pg_catalog.lower
\sf pg_catalog.lower(text)
\du nobody_here
\dp shell.things
\timing off
\set ECHO_HIDDEN off
DROP SCHEMA shell CASCADE;
