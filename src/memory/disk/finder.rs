//! Search for the nearest keys of a space: among all of them, or through a graph if they are many.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::Connection;

use super::file;
use super::file::Space;
use super::graph::{Broken, Graph, graph_file};
use crate::memory::near::MANY;
use crate::memory::{Exact, NewSlot, Origin, Shape, Slot};

/// Keys that are read at a time.
const PAGE: usize = 4096;

pub enum Finder {
    /// Keys without their values.
    All(Exact),
    Graph(Graph),
}

/// Keys that a change put and dropped.
#[derive(Default)]
pub struct Changes<'a> {
    pub put: Vec<(u64, Cow<'a, [f32]>)>,
    pub gone: Vec<u64>,
}

impl Finder {
    /// Finder of the keys in the table, made with the graph's file if that is sound; and whether it was not.
    pub fn load(
        db: &Connection,
        number: i64,
        space: &Space,
        shape: Shape,
        path: &Path,
    ) -> Result<(Self, bool), Broken> {
        if space.count <= MANY {
            let mut all = Self::All(Exact::new(Shape { d_value: 0, ..shape }));
            all.put_table(db, number, shape)?;
            return Ok((all, false));
        }
        if let Some((version, sum)) = space.graph
            && let Ok(mut graph) = Graph::map(shape, &graph_file(path, number, version), sum)
            && catch_up(&mut graph, db, number, shape).is_ok()
            && graph.len() == space.count
        {
            return Ok((Self::Graph(graph), false));
        }
        // Not the count that is written down: of a damaged file it may be any number.
        let sql = "SELECT count(*) FROM slots WHERE space = ?1";
        let count: i64 = db.query_row(sql, [number], |row| row.get(0))?;
        let mut graph = Self::Graph(Graph::new(shape, count as usize)?);
        graph.put_table(db, number, shape)?;
        Ok((graph, true))
    }

    fn put_table(&mut self, db: &Connection, number: i64, shape: Shape) -> Result<(), Broken> {
        let mut from = 0;
        loop {
            let keys = file::page(db, "id, key", (number, from, PAGE), |row| {
                Ok((file::uint(row, 0)?, Cow::Owned(file::numbers(row, 1, shape.d_key)?)))
            })?;
            let Some((last, _)) = keys.last() else { return Ok(()) };
            from = last + 1;
            self.put(&keys)?;
        }
    }

    /// Follows a change, after which there are `count` keys.
    pub fn follow(&mut self, changes: &Changes, count: usize) -> Result<(), Broken> {
        match self {
            Self::All(_) if count > MANY => return Err("too many keys to look at all".into()),
            Self::Graph(_) if count < MANY / 2 => return Err("too few keys for a graph".into()),
            Self::All(all) => changes.gone.iter().for_each(|id| _ = all.drop_slot(*id)),
            Self::Graph(graph) if !changes.gone.is_empty() => graph.drop_keys(&changes.gone)?,
            Self::Graph(_) => {}
        }
        self.put(&changes.put)
    }

    fn put(&mut self, keys: &[(u64, Cow<[f32]>)]) -> Result<(), Broken> {
        match self {
            Self::All(all) => {
                for (id, key) in keys {
                    all.drop_slot(*id);
                    let (key, value, origin) = (key.to_vec(), Vec::new(), Origin::default());
                    let new = NewSlot { key, value, origin };
                    all.push(Slot { id: *id, new, hits: 0, last: 0, merged: 1 });
                }
                Ok(())
            }
            Self::Graph(graph) if !keys.is_empty() => graph.put(keys),
            Self::Graph(_) => Ok(()),
        }
    }

    /// True if it is to be made anew, for its file was cut off.
    pub fn is_cut_off(&self) -> bool {
        matches!(self, Self::Graph(graph) if graph.is_cut_off())
    }

    /// Some `k` of the nearest of each query, in any order: `[n]`.
    pub fn nearest(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<u64>>, Broken> {
        match self {
            Self::All(all) => {
                let found = all.search(queries, k)?;
                Ok(found.ids.chunks(found.k.max(1)).map(<[u64]>::to_vec).collect())
            }
            Self::Graph(graph) => graph.nearest(queries, k),
        }
    }
}

/// Brings a graph from when its file was written to what is in the table.
fn catch_up(graph: &mut Graph, db: &Connection, number: i64, shape: Shape) -> Result<(), Broken> {
    let sql = "
        SELECT unsaved.id, slots.key FROM unsaved
        LEFT JOIN slots USING (space, id)
        WHERE space = ?1";
    let changed = file::rows(db, sql, [number], |row| {
        let gone = row.get_ref(1)? == rusqlite::types::ValueRef::Null;
        let key = (!gone).then(|| file::numbers(row, 1, shape.d_key)).transpose()?;
        Ok((file::uint(row, 0)?, key))
    })?;
    if changed.is_empty() {
        return Ok(());
    }
    let (put, gone): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(_, key)| key.is_some());
    let gone: Vec<u64> = gone.into_iter().map(|(id, _)| id).collect();
    let put: Vec<_> = put.into_iter().filter_map(|(id, key)| Some((id, key?))).collect();
    graph.drop_keys(&gone)?;
    graph.put(&put)
}
