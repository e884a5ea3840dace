//! A store's operations, as SQL.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, params};

use super::file;
use super::file::{bytes, failed, int, uint};
use super::finder::Changes;
use super::{Disk, broken};
use crate::memory::near::{Near, finite};
use crate::memory::{Found, NewSlot, Shape, Slot, Store, StoreError, mean};

impl Store for Disk {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn count(&mut self) -> Result<usize, StoreError> {
        let space = file::space(&self.db, self.space).map_err(failed("counting in", &self.path))?;
        Ok(space.count)
    }

    fn query(&mut self, queries: &[f32], k: usize) -> Result<Found, StoreError> {
        let doing = "searching";
        let n = self.shape.count(queries)?;
        let k = k.min(self.count()?);
        if n * k == 0 {
            return Ok(Found { k, ..Found::default() });
        }
        self.find()?;
        let Some(finder) = &self.finder else { return Ok(Found::default()) };
        let ids = finder.nearest(&finite(queries), k).map_err(broken(doing, &self.path))?;
        let failed = failed(doing, &self.path);
        let db = self.db.transaction().map_err(&failed)?;
        let mut found = Found { k, ..Found::default() };
        for (query, ids) in queries.chunks(self.shape.d_key).zip(ids) {
            let measured = measure(&db, self.space, self.shape, query, &ids);
            let mut near = measured.map_err(&failed)?;
            if near.len() < k {
                let ids = look_at_all(&db, self.space, self.shape, query, k).map_err(&failed)?;
                let all = measure(&db, self.space, self.shape, query, &ids);
                near = all.map_err(&failed)?;
            }
            found.push(near);
        }
        Ok(found)
    }

    fn insert(&mut self, slots: &[NewSlot]) -> Result<Vec<u64>, StoreError> {
        slots.iter().try_for_each(|slot| self.shape.check(slot))?;
        let number = self.space;
        self.write("writing to", |db, space| {
            let mut insert = db.prepare_cached(
                "INSERT INTO slots
                    (space, id, hits, last, merged, step, record, text, next, key, value)
                 VALUES (?1, ?2, 0, ?3, 1, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            let mut changes = Changes::default();
            for NewSlot { key, value, origin } in slots {
                insert.execute(params![
                    number,
                    space.next_id,
                    int(origin.step),
                    origin.record,
                    origin.text,
                    origin.next,
                    bytes(key),
                    bytes(value),
                ])?;
                changes.put.push((space.next_id as u64, Cow::Borrowed(key.as_slice())));
                space.next_id += 1;
            }
            space.count += slots.len();
            Ok((changes.put.iter().map(|(id, _)| *id).collect(), changes))
        })
    }

    fn touch(&mut self, ids: &[u64], step: u64) -> Result<(), StoreError> {
        let number = self.space;
        self.write("counting hits in", |db, _| {
            let mut touch = db.prepare_cached(
                "UPDATE slots SET hits = hits + 1, last = max(last, ?3)
                 WHERE space = ?1 AND id = ?2",
            )?;
            for id in ids {
                touch.execute((number, int(*id), int(step)))?;
            }
            Ok(((), Changes::default()))
        })
    }

    fn evict(&mut self, limit: usize) -> Result<Vec<u64>, StoreError> {
        let number = self.space;
        self.write("dropping slots from", |db, space| {
            let over = space.count.saturating_sub(limit);
            if over == 0 {
                return Ok((Vec::new(), Changes::default()));
            }
            let sql = "
                DELETE FROM slots
                WHERE space = ?1 AND id IN (
                    SELECT id FROM (
                        SELECT id, hits, last FROM slots
                        WHERE space = ?1
                        ORDER BY last, id LIMIT ?2
                    )
                    ORDER BY hits, last, id LIMIT ?3
                )
                RETURNING hits, last, id";
            let rest = space.count - limit / 2;
            let mut gone = file::rows(db, sql, (number, rest as i64, over as i64), |row| {
                Ok((uint(row, 0)?, uint(row, 1)?, uint(row, 2)?))
            })?;
            gone.sort_unstable();
            let gone: Vec<u64> = gone.into_iter().map(|(_, _, id)| id).collect();
            space.count = space.count.saturating_sub(gone.len());
            Ok((gone.clone(), Changes { gone, ..Changes::default() }))
        })
    }

    fn remove(&mut self, ids: &[u64]) -> Result<usize, StoreError> {
        let number = self.space;
        self.write("dropping slots from", |db, space| {
            let mut changes = Changes::default();
            for id in ids {
                if drop_slot(db, number, *id)? {
                    changes.gone.push(*id);
                }
            }
            space.count = space.count.saturating_sub(changes.gone.len());
            Ok((changes.gone.len(), changes))
        })
    }

    fn edit(
        &mut self,
        id: u64,
        key: Option<&[f32]>,
        value: Option<&[f32]>,
    ) -> Result<(), StoreError> {
        self.shape.check_edit(key, value)?;
        let number = self.space;
        let there = self.write("editing a slot of", |db, _| {
            let sql = "
                UPDATE slots SET key = coalesce(?3, key), value = coalesce(?4, value)
                WHERE space = ?1 AND id = ?2";
            let new = (number, int(id), key.map(bytes), value.map(bytes));
            let there = db.prepare_cached(sql)?.execute(new)? > 0;
            let key = key.filter(|_| there).map(|key| (id, Cow::Borrowed(key)));
            Ok((there, Changes { put: key.into_iter().collect(), ..Changes::default() }))
        })?;
        if there { Ok(()) } else { Err(StoreError::Unknown(id)) }
    }

    fn get(&mut self, ids: &[u64]) -> Result<Vec<Slot>, StoreError> {
        let slots = ids.iter().map(|id| read_slot(&self.db, self.space, *id, self.shape));
        let slots: rusqlite::Result<Vec<Slot>> = slots.filter_map(Result::transpose).collect();
        slots.map_err(failed("reading", &self.path))
    }

    fn page(&mut self, from: u64, limit: usize) -> Result<Vec<Slot>, StoreError> {
        let columns = "id, hits, last, merged, step, record, text, next, key, value";
        let range = (self.space, from, limit);
        let slots = file::page(&self.db, columns, range, |row| file::slot(row, self.shape));
        slots.map_err(failed("reading", &self.path))
    }

    fn merge(&mut self, kept: u64, gone: u64) -> Result<(), StoreError> {
        if kept == gone {
            return Ok(());
        }
        let (number, shape) = (self.space, self.shape);
        self.write("merging slots of", |db, space| {
            let both = (read_slot(db, number, kept, shape)?, read_slot(db, number, gone, shape)?);
            let (Some(to), Some(from)) = both else { return Ok((Ok(()), Changes::default())) };
            let by = [to.merged, from.merged];
            let key = mean(&to.new.key, &from.new.key, by);
            let value = mean(&to.new.value, &from.new.value, by);
            if let Err(error) = shape.check_edit(Some(&key), Some(&value)) {
                return Ok((Err(error), Changes::default()));
            }
            db.prepare_cached(
                "UPDATE slots SET key = ?3, value = ?4, hits = ?5, last = ?6, merged = ?7
                 WHERE space = ?1 AND id = ?2",
            )?
            .execute(params![
                number,
                int(kept),
                bytes(&key),
                bytes(&value),
                int(to.hits.saturating_add(from.hits)),
                int(to.last.max(from.last)),
                to.merged.saturating_add(from.merged),
            ])?;
            drop_slot(db, number, gone)?;
            space.count = space.count.saturating_sub(1);
            let changes = Changes { put: vec![(kept, Cow::Owned(key))], gone: vec![gone] };
            Ok((Ok(()), changes))
        })?
    }
}

/// Drops a slot: whether it was there.
fn drop_slot(db: &Connection, space: i64, id: u64) -> rusqlite::Result<bool> {
    let mut drop = db.prepare_cached("DELETE FROM slots WHERE space = ?1 AND id = ?2")?;
    Ok(drop.execute((space, int(id)))? > 0)
}

fn read_slot(db: &Connection, space: i64, id: u64, shape: Shape) -> rusqlite::Result<Option<Slot>> {
    let mut read = db.prepare_cached(
        "SELECT id, hits, last, merged, step, record, text, next, key, value FROM slots
         WHERE space = ?1 AND id = ?2",
    )?;
    read.query_row((space, int(id)), |row| file::slot(row, shape)).optional()
}

/// The ids of the nearest, found by looking at every slot.
fn look_at_all(
    db: &Connection,
    space: i64,
    shape: Shape,
    query: &[f32],
    k: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut all = file::rows(db, "SELECT id, key FROM slots WHERE space = ?1", [space], |row| {
        let key = file::numbers(row, 1, shape.d_key)?;
        Ok((shape.distance.between(query, &key), uint(row, 0)?))
    })?;
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    Ok(all.into_iter().take(k).map(|(_, id)| id).collect())
}

/// The slots of these ids that there are.
fn measure(
    db: &Connection,
    space: i64,
    shape: Shape,
    query: &[f32],
    ids: &[u64],
) -> rusqlite::Result<Vec<Near>> {
    let mut read =
        db.prepare_cached("SELECT key, value FROM slots WHERE space = ?1 AND id = ?2")?;
    let near = ids.iter().map(|id| {
        let read = read.query_row((space, int(*id)), |row| {
            let key = file::numbers(row, 0, shape.d_key)?;
            let value = file::numbers(row, 1, shape.d_value)?;
            Ok((shape.distance.between(query, &key), *id, key, value))
        });
        read.optional()
    });
    near.filter_map(Result::transpose).collect()
}
