-- What only newer versions of psql can. The same text runs past the door and through it.
\getenv everything EVERYTHING
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset pager off
\echo == parameters
SELECT $1::int + $2 AS sum, $3 AS text \bind 40 2 'it''s' \g
SELECT $1::int \bind 'no number' \g
SELECT $1 \bind \g
SELECT $1::text || $2 AS both \bind a b \gx
INSERT INTO probe.things (name, size) VALUES ($1, $2) RETURNING id, name \bind bound 1.5 \g
INSERT INTO probe.things (name, size) VALUES ($1, $2) \bind bound 2 \g
SELECT name FROM probe.things WHERE name = $1 \bind bound \gset got_
\echo :got_name
\echo == watching
SELECT 1 AS watched \watch c=2 i=0.1
SELECT count(*) AS at_least FROM probe.things \watch count=3 interval=0.05
SELECT n FROM generate_series(1, 3) AS n \watch c=5 i=0.05 min_rows=4
SELECT 1 / 0 \watch c=2 i=0.1
\echo == describing
SELECT id, name, size AS measure FROM probe.things \gdesc
SELECT $1::jsonb AS doc \gdesc
SELECT nothing FROM probe.things \gdesc
\echo == copies
\copy probe.things (name, size) FROM PROGRAM 'printf "one,1\ntwo,2\n"' WITH (FORMAT csv)
\copy (SELECT name, size FROM probe.things ORDER BY name) TO STDOUT WITH (FORMAT csv, HEADER)
\copy probe.things (name, size) FROM PROGRAM 'printf "three,no\n"' WITH (FORMAT csv)
\echo == large objects
\if :everything
\set QUIET on
\lo_import /etc/hostname 'a name'
\set object :LASTOID
SELECT octet_length(lo_get(:object)) > 0 AS kept;
\lo_export :object /dev/null
\lo_unlink :object
\set VERBOSITY sqlstate
\lo_unlink :object
\set VERBOSITY verbose
\lo_import /nonexistent/file
\set QUIET off
\endif
\echo == about
\d probe.things
\dconfig timezone
\drg nobody_here
\echo :SERVER_VERSION_NUM :ERROR :SQLSTATE
