//! The tables, how they are made, and all that is asked of them.

use postgres::config::Host;
use postgres::error::SqlState;
use postgres::{Client, Config, Row};

use crate::config::Distance;
use crate::memory::{Shape, StoreError};

/// Most numbers of a key that pgvector has graphs for.
const GRAPH_WIDTH: usize = 2000;

/// Neighbours a key, and keys that are looked at to place a new one.
const GRAPH: &str = "m = 16, ef_construction = 128";

const SPACES: &str = "
    CREATE EXTENSION IF NOT EXISTS vector;
    CREATE TABLE IF NOT EXISTS confab_spaces (
        number   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name     text    NOT NULL UNIQUE,
        d_key    bigint  NOT NULL,
        d_value  bigint  NOT NULL,
        distance text    NOT NULL,
        next_id  bigint  NOT NULL DEFAULT 0,
        count    bigint  NOT NULL DEFAULT 0
    );";

/// Statements on a space's tables. Only numbers are written into these, never a text from elsewhere.
pub struct Tables {
    pub number: i32,
    /// Nothing if keys are too wide for a graph.
    pub make_graph: Option<String>,
    pub search: String,
    pub insert: String,
    pub touch: String,
    pub evict: String,
    pub remove: String,
    pub edit: String,
    pub merge: String,
    pub get: String,
    pub page: String,
    pub bytes: String,
}

/// The number of a space and its shape. It is made, with its tables, if it is not there.
pub fn open(
    client: &mut Client,
    name: &str,
    shape: Shape,
) -> Result<(i32, Shape), postgres::Error> {
    let (d_key, d_value) = (shape.d_key as i64, shape.d_value as i64);
    let mut db = client.transaction()?;
    // `IF NOT EXISTS` fails where two make the same at once.
    db.execute("SELECT pg_advisory_xact_lock(hashtext('confab'))", &[])?;
    db.batch_execute(SPACES)?;
    db.execute(
        "INSERT INTO confab_spaces (name, d_key, d_value, distance) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        &[&name, &d_key, &d_value, &shape.distance.name()],
    )?;
    let row = db.query_one(
        "SELECT number, distance, d_key, d_value FROM confab_spaces WHERE name = $1",
        &[&name],
    )?;
    let (number, distance): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    let (d_key, d_value) = (uint(&row, 2)? as usize, uint(&row, 3)? as usize);
    if (d_key, d_value) == (shape.d_key, shape.d_value) {
        db.batch_execute(&make(number, shape))?;
    }
    db.commit()?;
    let distance = Distance::parse(&distance).unwrap_or_default();
    Ok((number, Shape { d_key, d_value, distance }))
}

impl Tables {
    pub fn new(number: i32, Shape { d_key, d_value, distance }: Shape) -> Self {
        // Cosines are inner products of keys of length 1. The operator for cosines leaves keys of zeros out of
        // a graph; so they are in it.
        let (key, by, class) = match distance {
            Distance::L2 => ("key".into(), "<->", "vector_l2_ops"),
            Distance::Cosine => {
                (format!("(l2_normalize(key)::vector({d_key}))"), "<#>", "vector_ip_ops")
            }
        };
        let make_graph = format!(
            "CREATE INDEX IF NOT EXISTS confab_graph_{number} ON confab_slots_{number}
             USING hnsw ({key} {class}) WITH ({GRAPH})"
        );
        let slot = format!(
            "id, hits, last, merged, step, record, text, next, key::real[], value
             FROM confab_slots_{number} JOIN confab_uses_{number} USING (id)"
        );
        Self {
            number,
            make_graph: (d_key <= GRAPH_WIDTH).then_some(make_graph),
            search: format!(
                // Each query is cut out once, not once a slot.
                "WITH queries AS MATERIALIZED (
                     SELECT n, ($1::real[])[n * {d_key} + 1 : (n + 1) * {d_key}]::vector({d_key}) AS query
                     FROM generate_series(0, $2::integer - 1) AS n
                 )
                 SELECT n, id, key::real[], value FROM queries
                 CROSS JOIN LATERAL (
                     SELECT id, key, value FROM confab_slots_{number}
                     ORDER BY {key} {by} query
                     LIMIT $3
                 ) AS near"
            ),
            insert: format!(
                "WITH slots AS (
                     INSERT INTO confab_slots_{number}
                         (id, merged, step, record, text, next, key, value)
                     SELECT $1 + n - 1, 1, step, record, text, next,
                         ($6::real[])[(n::integer - 1) * {d_key} + 1 : n::integer * {d_key}],
                         ($7::real[])[(n::integer - 1) * {d_value} + 1 : n::integer * {d_value}]
                     FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[])
                         WITH ORDINALITY AS origins (step, record, text, next, n)
                     RETURNING id, step
                 )
                 INSERT INTO confab_uses_{number} (id, hits, last) SELECT id, 0, step FROM slots"
            ),
            touch: format!(
                "UPDATE confab_uses_{number} AS uses
                 SET hits = hits + n, last = greatest(last, $2)
                 FROM (SELECT id, count(*) AS n FROM unnest($1::bigint[]) AS id GROUP BY id) AS found
                 WHERE uses.id = found.id"
            ),
            evict: format!(
                "WITH gone AS (
                     DELETE FROM confab_uses_{number} WHERE id IN (
                         SELECT id FROM (
                             SELECT id, hits, last FROM confab_uses_{number}
                             ORDER BY last, id LIMIT $1
                         ) AS rest
                         ORDER BY hits, last, id LIMIT $2
                     )
                     RETURNING id, hits, last
                 ), slots AS (
                     DELETE FROM confab_slots_{number} WHERE id IN (SELECT id FROM gone)
                 )
                 SELECT id FROM gone ORDER BY hits, last, id"
            ),
            remove: format!(
                "WITH uses AS (DELETE FROM confab_uses_{number} WHERE id = ANY ($1::bigint[]))
                 DELETE FROM confab_slots_{number} WHERE id = ANY ($1::bigint[])"
            ),
            edit: format!(
                "UPDATE confab_slots_{number}
                 SET key = coalesce($2::real[]::vector, key), value = coalesce($3::real[], value)
                 WHERE id = $1"
            ),
            merge: format!(
                "WITH uses AS (
                     UPDATE confab_uses_{number} SET hits = $4, last = $5 WHERE id = $1
                 )
                 UPDATE confab_slots_{number}
                 SET key = $2::real[]::vector, value = $3, merged = $6 WHERE id = $1"
            ),
            get: format!(
                "SELECT {slot} JOIN unnest($1::bigint[]) WITH ORDINALITY AS asked (id, n) USING (id)
                 ORDER BY n"
            ),
            page: format!("SELECT {slot} WHERE id >= $1 ORDER BY id LIMIT $2"),
            bytes: format!(
                "SELECT pg_total_relation_size('confab_slots_{number}')
                      + pg_total_relation_size('confab_uses_{number}')"
            ),
        }
    }
}

/// A space's own tables. What changes with every hit stands apart, for PostgreSQL writes a changed row, and
/// its place in the graph, anew.
fn make(number: i32, Shape { d_key, d_value, .. }: Shape) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS confab_slots_{number} (
             id     bigint PRIMARY KEY,
             merged bigint NOT NULL,
             step   bigint NOT NULL,
             record bigint NOT NULL,
             text   text   NOT NULL,
             next   text   NOT NULL,
             key    vector({d_key}) NOT NULL,
             value  real[] NOT NULL CHECK (cardinality(value) = {d_value})
         );
         CREATE TABLE IF NOT EXISTS confab_uses_{number} (
             id   bigint PRIMARY KEY,
             hits bigint NOT NULL,
             last bigint NOT NULL
         );"
    )
}

/// Where a database is, without the password that its URL may hold.
pub fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    });
    let hosts: Vec<String> = hosts.collect();
    let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("the PostgreSQL database `{name}` at {}", hosts.join(", "))
}

/// Tells what PostgreSQL says, and what is to be done about it.
pub fn failed(doing: &'static str, place: &str) -> impl Fn(postgres::Error) -> StoreError + use<> {
    let place = place.to_owned();
    move |error| {
        let remedy = match error.code() {
            None => {
                "see that the server runs, and that it is there and this user that the URL names"
            }
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                "name a user who may make tables and the extension `vector`"
            }
            Some(&SqlState::FEATURE_NOT_SUPPORTED | &SqlState::UNDEFINED_FILE) => {
                "install pgvector 0.8 or later on the server"
            }
            Some(&SqlState::DISK_FULL) => "make room on the server's disk",
            Some(_) => "see the server's log, or name another database",
        };
        let cause = std::error::Error::source(&error);
        let reason = cause.map_or_else(|| error.to_string(), |cause| cause.to_string());
        StoreError::Failed { doing, place: place.clone(), reason, remedy }
    }
}

pub fn uint(row: &Row, column: usize) -> Result<u64, postgres::Error> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).unwrap_or_default())
}

/// As PostgreSQL holds it, which has no number beyond 2⁶³.
pub fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
