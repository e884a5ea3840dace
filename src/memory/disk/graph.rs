//! Keys that are too many to be looked at one and all: a graph of near neighbours (HNSW, Malkov &
//! Yashunin 2016), by USearch.

use std::fmt::Display;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use crate::base::parallel::for_each;
use crate::config::Distance;
use crate::memory::Shape;

/// Neighbours a key; keys that are looked at to place a new one, and to answer a query. Measured on a
/// million keys: see docs/memories.md.
const NEIGHBOURS: usize = 16;
const LOOKED_AT_TO_ADD: usize = 128;
const LOOKED_AT_TO_FIND: usize = 128;

/// Keys are rounded to 16 bits in the graph, so more are found than asked for, and measured anew.
const MORE: usize = 8;

/// Keys that a thread adds at a time.
const PART: usize = 64;

pub struct Graph {
    index: Index,
    shape: Shape,
    /// Its file and the bytes of that, if it is only mapped into memory; it cannot then be written to.
    mapped: Option<(String, u64)>,
}

/// A failure, in USearch's words.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Graph {
    pub fn new(shape: Shape, capacity: usize) -> Result<Self, Broken> {
        let index = Index::new(&IndexOptions {
            dimensions: shape.d_key,
            metric: match shape.distance {
                Distance::L2 => MetricKind::L2sq,
                Distance::Cosine => MetricKind::IP, // of keys of length 1, or 0
            },
            quantization: ScalarKind::BF16,
            connectivity: NEIGHBOURS,
            expansion_add: LOOKED_AT_TO_ADD,
            expansion_search: LOOKED_AT_TO_FIND,
            multi: false,
        })?;
        let graph = Self { index, shape, mapped: None };
        graph.reserve(capacity)?;
        Ok(graph)
    }

    /// Maps a file into memory: of a graph larger than that, only what queries meet is read.
    pub fn map(shape: Shape, file: &Path, sum: i64) -> Result<Self, Broken> {
        let name = file.to_str().ok_or("its name is not Unicode")?;
        if self::sum(file)? != sum {
            return Err("it is damaged".into());
        }
        let mut graph = Self::new(shape, 0)?;
        graph.index.view(name)?;
        graph.mapped = Some((name.into(), file.metadata()?.len()));
        match graph.index.dimensions() == shape.d_key {
            true => Ok(graph),
            false => Err("it is of another shape".into()),
        }
    }

    /// True if its file is no longer as long as when it was mapped: reading what was cut off would end the program.
    pub fn is_cut_off(&self) -> bool {
        let changed = |(file, bytes): &(String, u64)| {
            std::fs::metadata(file).is_ok_and(|there| there.len() != *bytes)
        };
        self.mapped.as_ref().is_some_and(changed)
    }

    /// Writes it to a file, whose sum is returned.
    pub fn save(&self, file: &Path) -> Result<i64, Broken> {
        self.index.save(file.to_str().ok_or("its name is not Unicode")?)?;
        File::open(file)?.sync_all()?;
        Ok(sum(file)?)
    }

    pub fn len(&self) -> usize {
        self.index.size()
    }

    /// Adds these keys, or puts them in the place of those that they had.
    pub fn put<K: AsRef<[f32]> + Sync>(&mut self, keys: &[(u64, K)]) -> Result<(), Broken> {
        self.own()?;
        for (id, _) in keys {
            self.index.remove(*id)?;
        }
        let needed = self.index.size() + keys.len();
        if needed > self.index.capacity() {
            self.reserve(needed.max(self.index.capacity() * 3 / 2))?;
        }
        let mut outcomes = vec![Ok(()); keys.len().div_ceil(PART)];
        let parts = outcomes.iter_mut().zip(keys.chunks(PART)).collect();
        for_each(parts, |_, (outcome, keys): (&mut Result<(), String>, &[(u64, K)])| {
            *outcome = keys.iter().try_for_each(|(id, key)| {
                let key = placed(key.as_ref(), self.shape.distance);
                self.index.add(*id, &key).map_err(|error| error.to_string())
            });
        });
        outcomes.into_iter().try_for_each(|outcome| Ok(outcome?))
    }

    pub fn drop_keys(&mut self, ids: &[u64]) -> Result<(), Broken> {
        self.own()?;
        for id in ids {
            self.index.remove(*id)?;
        }
        Ok(())
    }

    /// Somewhat more than `k` of the nearest of each query, unless the graph misses some: `[n]`.
    pub fn nearest(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<u64>>, Broken> {
        let mut found = vec![Ok(Vec::new()); queries.len() / self.shape.d_key];
        let parts = found.iter_mut().zip(queries.chunks(self.shape.d_key)).collect();
        for_each(parts, |_, (found, query): (&mut Result<Vec<u64>, String>, &[f32])| {
            let query = placed(query, self.shape.distance);
            let matches = self.index.search(&query, (k + MORE).min(self.len()));
            *found = matches.map(|found| found.keys).map_err(|error| error.to_string());
        });
        found.into_iter().map(|found| Ok(found?)).collect()
    }

    /// Reads it into memory if it is only mapped.
    fn own(&mut self) -> Result<(), Broken> {
        if let Some((file, _)) = &self.mapped {
            let own = Self::new(self.shape, 0)?;
            own.index.load(file)?;
            own.reserve(own.len())?;
            *self = own;
        }
        Ok(())
    }

    fn reserve(&self, capacity: usize) -> Result<(), Broken> {
        // Each thread that adds or searches needs its own working memory.
        let threads = rayon::current_num_threads() + 1;
        Ok(self.index.reserve_capacity_and_threads(capacity, threads)?)
    }
}

/// The file of the graph of a space's keys: beside the SQLite file.
pub fn graph_file(path: &Path, space: i64, version: impl Display) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{space}.{version}.graph"));
    name.into()
}

/// A key where its inner products order it by distance.
fn placed(key: &[f32], distance: Distance) -> Vec<f32> {
    let length = match distance {
        Distance::L2 => 1.0,
        Distance::Cosine => key.iter().map(|x| x * x).sum::<f32>().sqrt(),
    };
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    key.iter().map(|x| x * scale).collect()
}

/// Tells a file that was damaged, for which USearch does not look. Another version of Rust may count
/// otherwise: the graph is then built anew.
fn sum(file: &Path) -> std::io::Result<i64> {
    let mut file = File::open(file)?;
    let (mut hasher, mut buffer) = (DefaultHasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish() as i64),
            read => hasher.write(&buffer[..read]),
        }
    }
}
