//! Slots in a PostgreSQL server with the extension pgvector, which several machines can share.

mod connection;
mod tables;

use std::sync::Arc;

use postgres::{Client, Config, Row, Transaction};

use connection::Connection;
use tables::{Tables, failed, int, uint};
use super::near::{MANY, Near, finite};
use super::{Found, NewSlot, Origin, Shape, Slot, Store, StoreError, mean};

/// One of the stores in a database. Every call that writes is one transaction.
///
/// Up to 32,768 slots are searched one and all. When there are more, pgvector keeps a graph of their keys
/// (HNSW), which misses a few of the nearest.
///
/// PostgreSQL's text has no character 0: it becomes its picture, `␀`. Graphs take keys of at most 2000
/// numbers; larger ones are always searched one and all.
pub struct Postgres {
    connection: Connection,
    tables: Arc<Tables>,
    shape: Shape,
}

impl Postgres {
    /// Opens the store `space` of the database at `url` (`postgresql://user@host/database`), and makes what
    /// is not there: the extension, the tables and the store.
    ///
    /// # Errors
    /// [`StoreError::Shape`] if it is there with another shape; if the server cannot be reached, is silent, has no
    /// pgvector of version 0.8 or later, or does not let this user make tables.
    pub fn connect(url: &str, space: &str, shape: Shape) -> Result<Self, StoreError> {
        let config: Config = url.parse().map_err(failed("reading", "the URL of a database"))?;
        let mut connection = Connection::open(config)?;
        let name = space.to_owned();
        let open = move |client: &mut Client| tables::open(client, &name, shape);
        let (number, there) = connection.ask("opening a memory in", open)?;
        if there != shape {
            let (space, place) = (space.into(), connection.place);
            return Err(StoreError::Shape { space, place, there, asked: shape });
        }
        Ok(Self { connection, tables: Arc::new(Tables::new(number, shape)), shape })
    }

    /// Bytes of its tables and their indices.
    ///
    /// # Errors
    /// If the server failed.
    pub fn bytes(&mut self) -> Result<u64, StoreError> {
        let tables = self.tables.clone();
        self.connection.ask("measuring", move |client| uint(&client.query_one(&tables.bytes, &[])?, 0))
    }

    /// The nearest of each query, in any order: all, unless a graph misses some. `[n][k]`
    fn near(
        &mut self,
        queries: &[f32],
        k: usize,
        graph: bool,
    ) -> Result<Vec<Vec<Near>>, StoreError> {
        let Shape { d_key, distance, .. } = self.shape;
        let (tables, queries) = (self.tables.clone(), queries.to_vec());
        self.connection.ask("searching", move |client| {
            let mut near = vec![Vec::with_capacity(k); queries.len() / d_key];
            let mut db = client.transaction()?;
            search_settings(&mut db, k, graph)?;
            let (n, limit) = (near.len() as i32, int(k as u64));
            for row in db.query(&tables.search, &[&finite(&queries), &n, &limit])? {
                let query = row.try_get::<_, i32>(0)? as usize;
                let (key, value): (Vec<f32>, Vec<f32>) = (row.try_get(2)?, row.try_get(3)?);
                let distance = distance.between(&queries[query * d_key..][..d_key], &key);
                near[query].push((distance, uint(&row, 1)?, key, value));
            }
            db.commit()?;
            Ok(near)
        })
    }

    /// Does `work` in a transaction, in which no other writes to this store.
    fn write<T: Send + 'static>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&mut Transaction, &Tables, &mut Space) -> Result<T, postgres::Error>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let tables = self.tables.clone();
        self.connection.ask(doing, move |client| {
            let mut db = client.transaction()?;
            let number = tables.number;
            let row = db.query_one(
                "SELECT next_id, count FROM confab_spaces WHERE number = $1 FOR UPDATE",
                &[&number],
            )?;
            let mut space = Space { next_id: uint(&row, 0)?, count: uint(&row, 1)? as usize };
            let answer = work(&mut db, &tables, &mut space)?;
            db.execute(
                "UPDATE confab_spaces SET next_id = $2, count = $3 WHERE number = $1",
                &[&number, &int(space.next_id), &int(space.count as u64)],
            )?;
            db.commit()?;
            Ok(answer)
        })
    }
}

/// Changes to a row of `confab_spaces`.
struct Space {
    next_id: u64,
    count: usize,
}

/// Settings for one search, which end with its transaction.
fn search_settings(db: &mut Transaction, k: usize, graph: bool) -> Result<(), postgres::Error> {
    // Candidates that a graph visits for one answer, up to pgvector's limit; it goes on where those were too few.
    let looked_at = (2 * k).clamp(128, 1000).to_string();
    let [by_graph, by_table] = if graph { ["on", "off"] } else { ["off", "on"] };
    db.execute(
        "SELECT set_config('hnsw.ef_search', $1, true),
                set_config('hnsw.iterative_scan', 'relaxed_order', true),
                set_config('enable_indexscan', $2, true),
                set_config('enable_seqscan', $3, true)",
        &[&looked_at, &by_graph, &by_table],
    )?;
    Ok(())
}

/// A slot from `id, hits, last, merged, step, record, text, next, key, value`.
fn slot(row: &Row) -> Result<Slot, postgres::Error> {
    let (step, record) = (uint(row, 4)?, uint(row, 5)? as u32);
    let origin = Origin { text: row.try_get(6)?, next: row.try_get(7)?, step, record };
    let new = NewSlot { key: row.try_get(8)?, value: row.try_get(9)?, origin };
    let (hits, last, merged) = (uint(row, 1)?, uint(row, 2)?, uint(row, 3)? as u32);
    Ok(Slot { id: uint(row, 0)?, new, hits, last, merged })
}

fn ints(ids: &[u64]) -> Vec<i64> {
    ids.iter().map(|id| int(*id)).collect()
}

impl Store for Postgres {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn count(&mut self) -> Result<usize, StoreError> {
        let sql = "SELECT count FROM confab_spaces WHERE number = $1";
        let number = self.tables.number;
        let count = self
            .connection
            .ask("counting in", move |client| uint(&client.query_one(sql, &[&number])?, 0));
        Ok(count? as usize)
    }

    fn query(&mut self, queries: &[f32], k: usize) -> Result<Found, StoreError> {
        let n = self.shape.count(queries)?;
        let count = self.count()?;
        let k = k.min(count);
        if n * k == 0 {
            return Ok(Found { k, ..Found::default() });
        }
        let mut near = self.near(queries, k, count > MANY)?;
        if near.iter().any(|near| near.len() < k) {
            near = self.near(queries, k, false)?;
        }
        let mut found = Found { k, ..Found::default() };
        near.into_iter().for_each(|near| found.push(near));
        Ok(found)
    }

    fn insert(&mut self, slots: &[NewSlot]) -> Result<Vec<u64>, StoreError> {
        slots.iter().try_for_each(|slot| self.shape.check(slot))?;
        let origins = || slots.iter().map(|slot| &slot.origin);
        let steps: Vec<i64> = origins().map(|origin| int(origin.step)).collect();
        let records: Vec<i64> = origins().map(|origin| origin.record.into()).collect();
        let texts: Vec<String> = origins().map(|origin| origin.text.replace('\0', "␀")).collect();
        let nexts: Vec<String> = origins().map(|origin| origin.next.replace('\0', "␀")).collect();
        let keys: Vec<f32> = slots.iter().flat_map(|slot| slot.key.iter().copied()).collect();
        let values: Vec<f32> = slots.iter().flat_map(|slot| slot.value.iter().copied()).collect();
        let added = slots.len();
        self.write("writing to", move |db, tables, space| {
            let first = int(space.next_id);
            db.execute(
                &tables.insert,
                &[&first, &steps, &records, &texts, &nexts, &keys, &values],
            )?;
            let ids = space.next_id..space.next_id + added as u64;
            let few = space.count <= MANY;
            (space.next_id, space.count) = (ids.end, space.count + added);
            if let Some(make) = tables.make_graph.as_ref().filter(|_| few && space.count > MANY) {
                db.batch_execute(make)?;
            }
            Ok(ids.collect())
        })
    }

    fn touch(&mut self, ids: &[u64], step: u64) -> Result<(), StoreError> {
        let ids = ints(ids);
        self.write("counting hits in", move |db, tables, _| {
            db.execute(&tables.touch, &[&ids, &int(step)])?;
            Ok(())
        })
    }

    fn evict(&mut self, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.write("dropping slots from", move |db, tables, space| {
            let over = space.count.saturating_sub(limit);
            if over == 0 {
                return Ok(Vec::new());
            }
            let rest = space.count - limit / 2;
            let gone = db.query(&tables.evict, &[&(rest as i64), &(over as i64)])?;
            space.count -= gone.len();
            gone.iter().map(|row| uint(row, 0)).collect()
        })
    }

    fn remove(&mut self, ids: &[u64]) -> Result<usize, StoreError> {
        let ids = ints(ids);
        self.write("dropping slots from", move |db, tables, space| {
            let gone = db.execute(&tables.remove, &[&ids])? as usize;
            space.count -= gone;
            Ok(gone)
        })
    }

    fn edit(
        &mut self,
        id: u64,
        key: Option<&[f32]>,
        value: Option<&[f32]>,
    ) -> Result<(), StoreError> {
        self.shape.check_edit(key, value)?;
        let [key, value] = [key, value].map(|numbers| numbers.map(<[f32]>::to_vec));
        let edited = self.write("editing a slot of", move |db, tables, _| {
            db.execute(&tables.edit, &[&int(id), &key, &value])
        })?;
        if edited > 0 { Ok(()) } else { Err(StoreError::Unknown(id)) }
    }

    fn get(&mut self, ids: &[u64]) -> Result<Vec<Slot>, StoreError> {
        let ids = ints(ids);
        let tables = self.tables.clone();
        self.connection.ask("reading", move |client| {
            client.query(&tables.get, &[&ids])?.iter().map(slot).collect()
        })
    }

    fn page(&mut self, from: u64, limit: usize) -> Result<Vec<Slot>, StoreError> {
        let (from, limit) = (int(from), int(limit as u64));
        let tables = self.tables.clone();
        self.connection.ask("reading", move |client| {
            client.query(&tables.page, &[&from, &limit])?.iter().map(slot).collect()
        })
    }

    fn merge(&mut self, kept: u64, gone: u64) -> Result<(), StoreError> {
        if kept == gone {
            return Ok(());
        }
        let shape = self.shape;
        self.write("merging slots of", move |db, tables, space| {
            let both = db.query(&tables.get, &[&ints(&[kept, gone])])?;
            let [to, from] = both.as_slice() else { return Ok(Ok(())) };
            let (to, from) = (slot(to)?, slot(from)?);
            let by = [to.merged, from.merged];
            let key = mean(&to.new.key, &from.new.key, by);
            let value = mean(&to.new.value, &from.new.value, by);
            if let Err(error) = shape.check_edit(Some(&key), Some(&value)) {
                return Ok(Err(error));
            }
            let (hits, last) = (to.hits.saturating_add(from.hits), to.last.max(from.last));
            let merged = i64::from(to.merged.saturating_add(from.merged));
            db.execute(
                &tables.merge,
                &[&int(kept), &key, &value, &int(hits), &int(last), &merged],
            )?;
            db.execute(&tables.remove, &[&ints(&[gone])])?;
            space.count -= 1;
            Ok(Ok(()))
        })?
    }
}
