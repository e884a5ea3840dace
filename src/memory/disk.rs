//! Slots in a file that outlives the program, larger than memory if need be.

mod file;
mod finder;
mod graph;
mod store;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::near::MANY;
use super::{Shape, StoreError};
use file::{Space, failed, int};
use finder::{Changes, Finder};
use graph::{Broken, graph_file};

/// One of the stores in an SQLite file. Every call that writes is one transaction: a program that is
/// killed has written all of it or nothing, whatever the moment.
///
/// Up to 32,768 slots are searched one and all. More are found through a graph, which misses a few of the
/// nearest, and not the same ones if it was built anew, for several threads build it. The graph is kept in
/// a file beside the SQLite file, but it is that one alone which counts: what the graph's file lacks is
/// added, and one that is gone or damaged is built anew.
///
/// Several programs, and several stores of one, may have the same file open.
pub struct Disk {
    db: Connection,
    path: PathBuf,
    /// Its number in the file.
    space: i64,
    shape: Shape,
    /// Made by the first query.
    finder: Option<Finder>,
    /// The version of the space that the finder knows.
    version: i64,
    /// Changes that the graph's file lacks.
    unsaved: usize,
}

impl Disk {
    /// Opens the store `space` of a file, either of which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Shape`] if it is there with another shape; if the file is not one of Confab's, is
    /// damaged, or cannot be written to.
    pub fn open(path: &Path, space: &str, shape: Shape) -> Result<Self, StoreError> {
        let mut db = file::open(path)?;
        let space = file::open_space(&mut db, path, space, shape)?;
        let path = path.to_path_buf();
        Ok(Self { db, path, space, shape, finder: None, version: 0, unsaved: 0 })
    }

    /// Bytes of the file, its log and the graphs beside it.
    pub fn bytes(&self) -> u64 {
        let own = self.path.file_name().unwrap_or_default().to_string_lossy();
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        let beside = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let own =
            beside.filter(|entry| match entry.file_name().to_string_lossy().strip_prefix(&*own) {
                Some(rest) => rest.is_empty() || rest.starts_with('-') || rest.ends_with(".graph"),
                None => false,
            });
        own.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Does `work` in a transaction, then has the finder follow.
    fn write<'a, T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Transaction, &mut Space) -> rusqlite::Result<(T, Changes<'a>)>,
    ) -> Result<T, StoreError> {
        let failed = failed(doing, &self.path);
        let begin = self.db.transaction_with_behavior(TransactionBehavior::Immediate);
        let db = begin.map_err(&failed)?;
        let mut space = file::space(&db, self.space).map_err(&failed)?;
        let (answer, changes) = work(&db, &mut space).map_err(&failed)?;
        let changed = changes.put.len() + changes.gone.len();
        if changed == 0 {
            db.commit().map_err(&failed)?;
            return Ok(answer);
        }
        let current = space.version == self.version;
        space.version += 1;
        note(&db, self.space, &space, &changes).map_err(&failed)?;
        db.commit().map_err(&failed)?;
        self.version = space.version;
        self.unsaved += changed;
        // A finder that cannot follow is made anew by the next query.
        self.finder = self.finder.take().filter(|_| current).and_then(|mut finder| {
            finder.follow(&changes, space.count).ok()?;
            Some(finder)
        });
        // Every key is written to a graph's file some ten times while a store grows.
        if self.unsaved > (space.count / 8).max(MANY) {
            self.unsaved = 0;
            // Without it the next start takes longer, and that is all.
            let _ = self.save();
        }
        Ok(answer)
    }

    /// Writes the graph to a file, if there is one and no other program has changed the store since.
    ///
    /// The new file counts from the moment that SQLite names it, which also forgets what the old one
    /// lacked.
    fn save(&mut self) -> Result<(), Broken> {
        let Some(finder) = &self.finder else { return Ok(()) };
        let db = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let space = file::space(&db, self.space)?;
        if space.version != self.version {
            return Ok(());
        }
        let new = match finder {
            Finder::All(_) => None,
            Finder::Graph(graph) => {
                // Under another name first: what a program that was killed left, the next one writes over.
                let part = graph_file(&self.path, self.space, "new");
                let sum = graph.save(&part)?;
                std::fs::rename(part, graph_file(&self.path, self.space, space.version))?;
                Some((space.version, sum))
            }
        };
        let (version, sum) = new.unzip();
        db.execute(
            "UPDATE spaces SET graph = ?2, sum = ?3 WHERE number = ?1",
            (self.space, version, sum),
        )?;
        db.execute("DELETE FROM unsaved WHERE space = ?1", [self.space])?;
        db.commit()?;
        self.unsaved = 0;
        if let Some((old, _)) = space.graph.filter(|(old, _)| Some(*old) != version) {
            let _ = std::fs::remove_file(graph_file(&self.path, self.space, old));
        }
        Ok(())
    }

    /// Makes the finder, if there is none that knows all.
    fn find(&mut self) -> Result<(), StoreError> {
        let doing = "reading the keys of";
        let db = self.db.transaction().map_err(failed(doing, &self.path))?;
        let space = file::space(&db, self.space).map_err(failed(doing, &self.path))?;
        let is_whole = self.finder.as_ref().is_some_and(|finder| !finder.is_cut_off());
        if is_whole && self.version == space.version {
            return Ok(());
        }
        let load = Finder::load(&db, self.space, &space, self.shape, &self.path);
        let (finder, anew) = load.map_err(broken(doing, &self.path))?;
        let sql = "SELECT count(*) FROM unsaved WHERE space = ?1";
        let unsaved: i64 =
            db.query_row(sql, [self.space], |row| row.get(0)).map_err(failed(doing, &self.path))?;
        drop(db);
        (self.version, self.unsaved) = (space.version, unsaved as usize);
        self.finder = Some(finder);
        if anew {
            let _ = self.save();
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.unsaved > 0 {
            let _ = self.save();
        }
    }
}

/// Writes down the space as it is after a change, and, for a graph's file, what changed.
fn note(db: &Connection, number: i64, space: &Space, changes: &Changes) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE spaces SET next_id = ?2, count = ?3, version = ?4 WHERE number = ?1",
    )?
    .execute((number, space.next_id, int(space.count as u64), space.version))?;
    if space.graph.is_some() {
        let put = changes.put.iter().map(|(id, _)| id);
        let mut note = db.prepare_cached("INSERT OR IGNORE INTO unsaved VALUES (?1, ?2)")?;
        for id in put.chain(&changes.gone) {
            note.execute((number, int(*id)))?;
        }
    }
    Ok(())
}

fn broken(doing: &'static str, path: &Path) -> impl Fn(Broken) -> StoreError + use<> {
    let (failed, place) = (failed(doing, path), path.display().to_string());
    move |error| match error.downcast::<rusqlite::Error>() {
        Ok(error) => failed(*error),
        Err(error) => {
            let remedy = "keep fewer slots, or give it more memory";
            StoreError::Failed { doing, place: place.clone(), reason: error.to_string(), remedy }
        }
    }
}
