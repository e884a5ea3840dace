//! Where stores are made to be tested.

use std::sync::atomic::{AtomicU32, Ordering};

use confab::memory::{Disk, Exact, Postgres, Shape, Store};
use tempfile::TempDir;

use crate::database::postgres_url;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Exact,
    Disk,
    Postgres,
}

pub const PLACES: [Kind; 3] = [Kind::Exact, Kind::Disk, Kind::Postgres];

/// A place of its own for one store.
pub struct Place {
    kind: Kind,
    pub folder: TempDir,
    space: String,
}

impl Place {
    pub fn new(kind: Kind) -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let space = format!("'; -- {} {number}", std::process::id());
        Self { kind, folder: tempfile::tempdir().unwrap(), space }
    }

    pub fn open(&self, shape: Shape) -> Box<dyn Store> {
        match self.kind {
            Kind::Exact => Box::new(Exact::new(shape)),
            Kind::Disk => Box::new(self.disk(shape)),
            Kind::Postgres => {
                Box::new(Postgres::connect(&postgres_url(), &self.space, shape).unwrap())
            }
        }
    }

    /// Closes a store and opens it again; one in memory is left as it is.
    pub fn reopen(&self, store: &mut Box<dyn Store>, shape: Shape) {
        if self.kind != Kind::Exact {
            *store = Box::new(Exact::new(shape));
            *store = self.open(shape);
        }
    }

    pub fn disk(&self, shape: Shape) -> Disk {
        Disk::open(&self.folder.path().join("memory.db"), &self.space, shape).unwrap()
    }
}
