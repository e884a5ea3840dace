//! Speed and recall of stores.

use std::path::Path;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::Serialize;

use super::{Disk, Exact, NewSlot, Origin, Postgres, Shape, Store, StoreError};
use crate::config::Distance;

/// A store at a size.
#[derive(Clone, Debug, Serialize)]
pub struct StoreRow {
    pub store: &'static str,
    /// `clustered` around 1000 centres, or `random`: of a normal distribution, where all are nearly as far
    /// away, which is the hardest for a graph.
    pub keys: &'static str,
    pub slots: usize,
    pub inserts_per_s: f64,
    /// One after the other, as in writing.
    pub queries_per_s: f64,
    /// 64 at a time, as in training.
    pub batched_per_s: f64,
    /// The share of the 10 nearest slots that is found.
    pub recall: f64,
    /// On disk, or in memory if it is kept there.
    pub bytes: u64,
    /// Time of a query, as a multiple of that at the first size.
    pub cost: f64,
}

/// Measurements of one store.
#[derive(Clone, Debug)]
pub struct StoreBench<'a> {
    /// Ascending.
    pub sizes: &'a [usize],
    /// Where a file is put.
    pub folder: &'a Path,
    /// A database that may be filled, if PostgreSQL is to be measured.
    pub postgres: Option<&'a str>,
}

const SHAPE: Shape = Shape { d_key: 64, d_value: 64, distance: Distance::L2 };
const CENTRES: usize = 1000;
const QUERIES: usize = 256;
/// Slots an insert.
const BATCH: usize = 1000;
const K: usize = 10;
const SEED: u64 = 1;

impl StoreBench<'_> {
    /// Measures every store, which grows from one size to the next, and tells each row when it is there.
    ///
    /// # Errors
    /// The first of a store that failed.
    pub fn run(&self, mut tell: impl FnMut(StoreRow)) -> Result<(), StoreError> {
        for clustered in [true, false] {
            let mut exact = Exact::new(SHAPE);
            let kept =
                |store: &mut Exact| Ok((store.keys().len() + store.values().len()) as u64 * 4);
            let truth = self.measure("memory", &mut exact, clustered, &[], kept, &mut tell)?;
            let file = self.folder.join(if clustered { "clustered.db" } else { "random.db" });
            let mut disk = Disk::open(&file, "bench", SHAPE)?;
            let bytes = |store: &mut Disk| Ok(store.bytes());
            self.measure("file", &mut disk, clustered, &truth, bytes, &mut tell)?;
            if let Some(url) = self.postgres {
                let space = format!("bench {} {clustered}", std::process::id());
                let mut store = Postgres::connect(url, &space, SHAPE)?;
                let bytes = Postgres::bytes;
                self.measure("postgres", &mut store, clustered, &truth, bytes, &mut tell)?;
            }
        }
        Ok(())
    }

    /// Slots found at each size are compared with `truth`, if there is any, and returned.
    fn measure<S: Store>(
        &self,
        name: &'static str,
        store: &mut S,
        clustered: bool,
        truth: &[Vec<u64>],
        bytes: impl Fn(&mut S) -> Result<u64, StoreError>,
        tell: &mut impl FnMut(StoreRow),
    ) -> Result<Vec<Vec<u64>>, StoreError> {
        let mut keys = Keys::new(clustered);
        let queries = keys.take(QUERIES);
        let (mut all_found, mut first) = (Vec::new(), None);
        let mut slots = 0;
        for (index, size) in self.sizes.iter().enumerate() {
            let (before, mut writing) = (slots, 0.0);
            while slots < *size {
                let new = keys.slots(BATCH.min(size - slots));
                let start = Instant::now();
                store.insert(&new)?;
                writing += start.elapsed().as_secs_f64();
                slots += new.len();
            }
            let start = Instant::now();
            store.query(&queries[..SHAPE.d_key], K)?; // a graph is made now, if there is to be one
            writing += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let mut found = Vec::new();
            for query in queries.chunks(SHAPE.d_key) {
                found.extend(store.query(query, K)?.ids);
            }
            let one = start.elapsed().as_secs_f64() / QUERIES as f64;
            let start = Instant::now();
            for queries in queries.chunks(64 * SHAPE.d_key) {
                store.query(queries, K)?;
            }
            let batched = start.elapsed().as_secs_f64() / QUERIES as f64;
            let first = *first.get_or_insert(one);
            tell(StoreRow {
                store: name,
                keys: if clustered { "clustered" } else { "random" },
                slots,
                inserts_per_s: (slots - before) as f64 / writing,
                queries_per_s: 1.0 / one,
                batched_per_s: 1.0 / batched,
                recall: truth.get(index).map_or(1.0, |truth| share(&found, truth)),
                bytes: bytes(store)?,
                cost: one / first,
            });
            all_found.push(found);
        }
        Ok(all_found)
    }
}

/// The share of the nearest that was found.
fn share(found: &[u64], truth: &[u64]) -> f64 {
    let pairs = found.chunks(K).zip(truth.chunks(K));
    let hits: usize =
        pairs.map(|(found, truth)| truth.iter().filter(|id| found.contains(id)).count()).sum();
    hits as f64 / truth.len() as f64
}

/// Keys that are the same for every store.
struct Keys {
    rng: ChaCha8Rng,
    /// `[CENTRES, d_key]`
    centres: Option<Vec<f32>>,
}

impl Keys {
    fn new(clustered: bool) -> Self {
        let mut keys = Self { rng: ChaCha8Rng::seed_from_u64(SEED), centres: None };
        if clustered {
            keys.centres = Some(keys.take(CENTRES));
        }
        keys
    }

    /// `[n, d_key]`
    fn take(&mut self, n: usize) -> Vec<f32> {
        let mut keys = Vec::with_capacity(n * SHAPE.d_key);
        for _ in 0..n {
            let normal = (&mut self.rng).sample_iter::<f32, _>(StandardNormal).take(SHAPE.d_key);
            let normal: Vec<f32> = normal.collect();
            match &self.centres {
                None => keys.extend(normal),
                Some(centres) => {
                    let centre = self.rng.random_range(0..CENTRES) * SHAPE.d_key;
                    keys.extend(centres[centre..].iter().zip(normal).map(|(x, y)| x + 0.3 * y));
                }
            }
        }
        keys
    }

    fn slots(&mut self, n: usize) -> Vec<NewSlot> {
        let keys = self.take(n);
        let origin = Origin { text: "A fact: the capital of ".into(), ..Origin::default() };
        let slot =
            |key: &[f32]| NewSlot { key: key.into(), value: key.into(), origin: origin.clone() };
        keys.chunks(SHAPE.d_key).map(slot).collect()
    }
}
