//! The SQLite file: what is in it, and what can be wrong with it.

use std::path::Path;
use std::time::Duration;

use rusqlite::ffi::{Error, SQLITE_CORRUPT};
use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, TransactionBehavior, params};

use crate::config::Distance;
use crate::memory::{NewSlot, Origin, Shape, Slot, StoreError};

/// Told from other programs' files by SQLite's application id: "Conf".
const MARK: i32 = 0x436f_6e66;
const FORMAT: i32 = 1;

/// Longest wait for another program's transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// With a write-ahead log a commit need not wait for the disk: a program that is killed loses nothing
/// that was committed; where the power fails, the last commits may go, each as a whole. The file is read, not
/// mapped into memory: where another program cuts it off, a page that was mapped would end this one.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA mmap_size = 0;
    PRAGMA cache_size = -65536; -- KiB
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
";

const SCHEMA: [&str; 4] = [
    "CREATE TABLE spaces (
        number   INTEGER PRIMARY KEY,
        name     TEXT    NOT NULL UNIQUE,
        d_key    INTEGER NOT NULL,
        d_value  INTEGER NOT NULL,
        distance TEXT    NOT NULL,
        next_id  INTEGER NOT NULL DEFAULT 0,
        count    INTEGER NOT NULL DEFAULT 0,
        version  INTEGER NOT NULL DEFAULT 0, -- one more after every change of keys
        graph    INTEGER,                    -- the version whose graph is in a file
        sum      INTEGER                     -- of that file
    ) STRICT",
    "CREATE TABLE slots (
        space  INTEGER NOT NULL,
        id     INTEGER NOT NULL,
        hits   INTEGER NOT NULL,
        last   INTEGER NOT NULL,
        merged INTEGER NOT NULL,
        step   INTEGER NOT NULL,
        record INTEGER NOT NULL,
        text   TEXT    NOT NULL,
        next   TEXT    NOT NULL,
        key    BLOB    NOT NULL, -- little-endian f32
        value  BLOB    NOT NULL, -- little-endian f32
        PRIMARY KEY (space, id)
    ) STRICT",
    // All that eviction looks at, so that it need not read past keys and values.
    "CREATE INDEX slots_by_use ON slots (space, last, id, hits)",
    // Slots whose keys changed since the graph's file was written.
    "CREATE TABLE unsaved (
        space INTEGER NOT NULL,
        id    INTEGER NOT NULL,
        PRIMARY KEY (space, id)
    ) WITHOUT ROWID, STRICT",
];

/// A row of `spaces`, as far as it changes.
pub struct Space {
    pub next_id: i64,
    pub count: usize,
    pub version: i64,
    /// The version whose graph is in a file, and the sum of that.
    pub graph: Option<(i64, i64)>,
}

/// # Errors
/// If the file is not one of Confab's, or damaged.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = failed("opening", path);
    if is_cut_off(path) {
        return Err(foreign(path, "it is cut off, or no SQLite file"));
    }
    // Not the default flags, by which a name that begins with `file:` is an address.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(&failed)?;
    db.busy_timeout(PATIENCE).map_err(&failed)?;
    if !matches!(schema(&db).map_err(&failed)?, (0, 0) | (MARK, _)) {
        return Err(foreign(path, "it is another program's SQLite file"));
    }
    db.execute_batch(SETTINGS).map_err(&failed)?;
    let create = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    if schema(&create).map_err(&failed)? == (0, 0) {
        create.execute_batch(&SCHEMA.join(";")).map_err(&failed)?;
        create.pragma_update(None, "application_id", MARK).map_err(&failed)?;
        create.pragma_update(None, "user_version", FORMAT).map_err(&failed)?;
    }
    create.commit().map_err(&failed)?;
    let format: i32 =
        db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
    if format != FORMAT {
        return Err(foreign(path, &format!("it has format {format} instead of {FORMAT}")));
    }
    let there = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let there: Vec<String> = rows(&db, there, [], |row| row.get(0)).map_err(&failed)?;
    match there == SCHEMA {
        true => Ok(db),
        false => Err(foreign(path, "its tables are not those of a memory")),
    }
}

/// True if the last page is not whole, which SQLite would fill with zeros, and no log holds it.
fn is_cut_off(path: &Path) -> bool {
    const SMALLEST_PAGE: u64 = 512;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    path.is_file() && length(path) % SMALLEST_PAGE > 0 && length(Path::new(&log)) == 0
}

/// Whose file it is, and how much is in its schema.
fn schema(db: &Connection) -> rusqlite::Result<(i32, i64)> {
    let mark = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let entries = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((mark, entries))
}

/// The number of a space, which is made if it is not there.
///
/// # Errors
/// [`StoreError::Shape`] if it is there with another shape.
pub fn open_space(
    db: &mut Connection,
    path: &Path,
    name: &str,
    shape: Shape,
) -> Result<i64, StoreError> {
    let failed = failed("opening a memory in", path);
    let Shape { d_key, d_value, distance } = shape;
    let make = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    make.execute(
        "INSERT INTO spaces (name, d_key, d_value, distance) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
        params![name, d_key as i64, d_value as i64, distance.name()],
    )
    .map_err(&failed)?;
    let (number, there) = make
        .query_row(
            "SELECT number, d_key, d_value, distance FROM spaces WHERE name = ?1",
            [name],
            |row| Ok((row.get(0)?, (uint(row, 1)?, uint(row, 2)?, row.get::<_, String>(3)?))),
        )
        .map_err(&failed)?;
    make.commit().map_err(&failed)?;
    let (d_key, d_value, distance) = there;
    let distance = Distance::parse(&distance)
        .ok_or_else(|| foreign(path, &format!("it measures distances as `{distance}`")))?;
    let there = Shape { d_key: d_key as usize, d_value: d_value as usize, distance };
    if there != shape {
        let (space, place) = (name.into(), path.display().to_string());
        return Err(StoreError::Shape { space, place, there, asked: shape });
    }
    Ok(number)
}

pub fn space(db: &Connection, number: i64) -> rusqlite::Result<Space> {
    db.prepare_cached("SELECT next_id, count, version, graph, sum FROM spaces WHERE number = ?1")?
        .query_row([number], |row| {
            let (graph, sum): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let (next_id, count, version) = (row.get(0)?, uint(row, 1)? as usize, row.get(2)?);
            Ok(Space { next_id, count, version, graph: graph.zip(sum) })
        })
}

/// A slot from `id, hits, last, merged, step, record, text, next, key, value`.
pub fn slot(row: &Row, shape: Shape) -> rusqlite::Result<Slot> {
    let (step, record) = (uint(row, 4)?, row.get(5)?);
    let origin = Origin { text: row.get(6)?, next: row.get(7)?, step, record };
    let (key, value) = (numbers(row, 8, shape.d_key)?, numbers(row, 9, shape.d_value)?);
    let new = NewSlot { key, value, origin };
    Ok(Slot {
        id: uint(row, 0)?,
        new,
        hits: uint(row, 1)?,
        last: uint(row, 2)?,
        merged: row.get(3)?,
    })
}

/// Up to `limit` rows of a space's slots from the id `from` on, by id: `columns`, the id first.
///
/// # Errors
/// Also if ids do not ascend: a walk from page to page of such a damaged file might never end.
pub fn page<T>(
    db: &Connection,
    columns: &str,
    (space, from, limit): (i64, u64, usize),
    mut read: impl FnMut(&Row) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let sql = format!(
        "SELECT {columns} FROM slots
         WHERE space = ?1 AND id >= ?2
         ORDER BY id LIMIT ?3"
    );
    let Ok(first) = i64::try_from(from) else { return Ok(Vec::new()) };
    let mut least = from;
    rows(db, &sql, (space, first, int(limit as u64)), |row| {
        let id = uint(row, 0)?;
        if id < least {
            let reason = format!("slot {id} stands after slot {}", least - 1);
            return Err(rusqlite::Error::SqliteFailure(Error::new(SQLITE_CORRUPT), Some(reason)));
        }
        least = id + 1;
        read(row)
    })
}

/// All that a query gives.
pub fn rows<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(params, read)?.collect()
}

pub fn uint(row: &Row, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// As SQLite holds it, which has no number beyond 2⁶³.
pub fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `width` numbers.
pub fn numbers(row: &Row, column: usize, width: usize) -> rusqlite::Result<Vec<f32>> {
    let (numbers, rest) = row.get_ref(column)?.as_blob()?.as_chunks();
    if numbers.len() != width || !rest.is_empty() {
        let reason = format!("it holds {} numbers instead of {width}", numbers.len()).into();
        return Err(rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, reason));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

pub fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn foreign(path: &Path, reason: &str) -> StoreError {
    let (place, reason) = (path.display().to_string(), reason.into());
    StoreError::Failed {
        doing: "opening",
        place,
        reason,
        remedy: "name a file that Confab wrote, or a new one",
    }
}

/// Tells what SQLite says, and what is to be done about it.
pub fn failed(doing: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
    let place = path.display().to_string();
    move |error| {
        let remedy = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => "name a file that Confab wrote, or a new one",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "wait for the other program that writes to it, or end it"
            }
            Some(ErrorCode::DiskFull) => "make room on the disk",
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "name a file in a folder that is there and may be written to"
            }
            Some(ErrorCode::SystemIoFailure) => "see whether the disk is sound",
            _ => "the file is damaged: put a copy of it in its place, or name a new one",
        };
        let (place, reason) = (place.clone(), error.to_string());
        StoreError::Failed { doing, place, reason, remedy }
    }
}
