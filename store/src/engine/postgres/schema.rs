//! The tables, and every statement about them.
//!
//! Each statement is one transaction and one round trip: nobody who is cut off in the middle leaves a lock
//! behind, and nothing can come between the check of the epoch and what depends on it.

/// The layout of the tables that this version makes, and the only one that it reads.
pub(super) const LAYOUT: &str = "1";

/// Names in the table `meta`.
pub(super) const META_HEADER: &str = "header";
pub(super) const META_UNFINISHED: &str = "unfinished";

/// The statements, for one schema.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) create: String,
    pub(super) exists: String,
    pub(super) lease: String,
    pub(super) take: String,
    pub(super) renew: String,
    pub(super) release: String,
    pub(super) settle: String,
    pub(super) apply: String,
    pub(super) get: String,
    pub(super) get_many: String,
    pub(super) page: String,
    pub(super) snapshot: String,
    pub(super) meta: String,
    pub(super) begin: String,
    pub(super) publish: String,
    pub(super) is_empty: String,
}

impl Statements {
    /// `schema` is a plain name: `Database::check` has seen to it.
    pub(super) fn new(schema: &str) -> Self {
        let s = format!("\"{schema}\"");
        // Of the parameters of every fenced statement the first two are the term.
        let fence = "epoch = $1 AND instance = $2";
        Self {
            create: format!(
                "CREATE SCHEMA IF NOT EXISTS {s};
                 CREATE TABLE IF NOT EXISTS {s}.meta (
                     name text PRIMARY KEY, value bytea NOT NULL);
                 CREATE TABLE IF NOT EXISTS {s}.sealed (
                     key bytea PRIMARY KEY, value bytea NOT NULL);
                 ALTER TABLE {s}.sealed ALTER COLUMN value SET STORAGE EXTERNAL;
                 CREATE TABLE IF NOT EXISTS {s}.lease (
                     id integer PRIMARY KEY CHECK (id = 1),
                     epoch bigint NOT NULL,
                     machine text NOT NULL,
                     instance text NOT NULL,
                     since timestamptz NOT NULL,
                     expires timestamptz NOT NULL,
                     writes bigint NOT NULL);
                 INSERT INTO {s}.lease VALUES (1, 0, '', '', to_timestamp(0), to_timestamp(0), 0)
                     ON CONFLICT DO NOTHING;
                 INSERT INTO {s}.meta VALUES ('layout', '{LAYOUT}') ON CONFLICT DO NOTHING;"
            ),
            exists: format!("SELECT to_regclass('{s}.lease') IS NOT NULL"),
            lease: format!(
                "SELECT epoch, machine, instance, {}, {}, {} FROM {s}.lease",
                micros("since"),
                micros("expires"),
                micros("clock_timestamp()"),
            ),
            take: format!(
                "UPDATE {s}.lease SET epoch = epoch + 1, instance = $2, machine = $3, writes = 0,
                     since = clock_timestamp(),
                     expires = clock_timestamp() + $4 * interval '1 millisecond'
                 WHERE epoch = $1 AND (expires <= clock_timestamp() OR instance = $2)
                 RETURNING epoch"
            ),
            renew: format!(
                "UPDATE {s}.lease SET expires = clock_timestamp() + $3 * interval '1 millisecond'
                 WHERE {fence} RETURNING epoch"
            ),
            // Without its instance, neither a late sign of life nor a late write goes through.
            release: format!(
                "UPDATE {s}.lease SET expires = clock_timestamp(), instance = '' WHERE {fence}"
            ),
            // Takes the number of a write of which nobody knows what became: either it is there, or this
            // goes through and the write never can.
            settle: format!(
                "UPDATE {s}.lease SET writes = $3 WHERE {fence} AND writes = $3 - 1 RETURNING epoch"
            ),
            apply: format!(
                "WITH fence AS (
                     UPDATE {s}.lease SET writes = $3 WHERE {fence} AND writes = $3 - 1 RETURNING 1
                 ), gone AS (
                     DELETE FROM {s}.sealed WHERE key = ANY($4) AND EXISTS (SELECT FROM fence)
                 ), put AS (
                     INSERT INTO {s}.sealed (key, value)
                     SELECT * FROM unnest($5, $6) WHERE EXISTS (SELECT FROM fence)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value
                 ) SELECT count(*) FROM fence"
            ),
            get: format!(
                "SELECT {fence}, s.key, s.value FROM {s}.lease LEFT JOIN {s}.sealed s ON s.key = $3"
            ),
            get_many: format!(
                "SELECT {fence}, s.key, s.value
                 FROM {s}.lease LEFT JOIN {s}.sealed s ON s.key = ANY($3)"
            ),
            page: format!(
                "SELECT {fence}, s.key, s.value FROM {s}.lease LEFT JOIN LATERAL (
                     SELECT key, value FROM {s}.sealed
                     WHERE key >= $3 AND ($4::bytea IS NULL OR key < $4) ORDER BY key LIMIT $5
                 ) s ON true ORDER BY s.key"
            ),
            // To ask for the lease is what takes the snapshot.
            snapshot: format!(
                "SET idle_in_transaction_session_timeout = 0;
                 BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                 SELECT epoch, instance, writes FROM {s}.lease"
            ),
            meta: format!("SELECT value FROM {s}.meta WHERE name = $1"),
            // What an attempt before left behind goes; what is there from now on is not a store yet.
            begin: format!(
                "WITH fence AS (
                     SELECT FROM {s}.lease WHERE {fence} FOR UPDATE
                 ), cleared AS (
                     DELETE FROM {s}.sealed WHERE EXISTS (SELECT FROM fence)
                 )
                 INSERT INTO {s}.meta (name, value) SELECT '{META_UNFINISHED}', '' FROM fence
                 ON CONFLICT (name) DO UPDATE SET value = '' RETURNING name"
            ),
            // With its header in place the store exists.
            publish: format!(
                "WITH fence AS (
                     SELECT FROM {s}.lease WHERE {fence} FOR UPDATE
                 ), finished AS (
                     DELETE FROM {s}.meta WHERE name = '{META_UNFINISHED}'
                     AND EXISTS (SELECT FROM fence)
                 )
                 INSERT INTO {s}.meta (name, value) SELECT '{META_HEADER}', $3 FROM fence
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING name"
            ),
            is_empty: format!("SELECT NOT EXISTS (SELECT FROM {s}.sealed)"),
        }
    }
}

fn micros(instant: &str) -> String {
    format!("(extract(epoch FROM {instant}) * 1000000)::bigint")
}
