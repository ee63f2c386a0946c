-- What every client finds; made anew before each run, past the door.
DROP SCHEMA IF EXISTS probe CASCADE;
CREATE SCHEMA probe AUTHORIZATION tyer;
SET ROLE tyer;
CREATE TYPE probe.mood AS ENUM ('glad', 'sad');
CREATE TYPE probe.pair AS (first int, second text);
CREATE DOMAIN probe.positive AS int CHECK (VALUE > 0);
CREATE TABLE probe.things (
    id    serial PRIMARY KEY,
    name  text NOT NULL UNIQUE,
    size  numeric(9, 2) CHECK (size > 0),
    born  date
);
CREATE TABLE probe.parts (
    id     bigint PRIMARY KEY,
    thing  int REFERENCES probe.things DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE probe.kinds (
    id       int PRIMARY KEY,
    flag     boolean,
    amount   numeric,
    ratio    double precision,
    bytes    bytea,
    doc      jsonb,
    list     int[],
    at       timestamptz,
    span     interval,
    key      uuid,
    mood     probe.mood,
    pair     probe.pair,
    small    probe.positive,
    net      inet,
    range    int4range
);
