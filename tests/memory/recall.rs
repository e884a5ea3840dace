//! Recall of a graph of keys: the share of the nearest slots that it finds.

use std::collections::HashSet;

use confab::config::Distance;
use confab::memory::{Exact, NewSlot, Origin, Shape, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::places::{Kind, Place};

/// More than are searched one and all.
const MANY: usize = 36_000;

/// Keys around `clusters` centres, which depend on the width alone.
pub fn clustered(seed: u64, n: usize, width: usize, clusters: usize) -> Vec<f32> {
    let normal = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let centres: Vec<f32> = (0..clusters * width).map(|_| normal(&mut rng)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut keys = Vec::with_capacity(n * width);
    for _ in 0..n {
        let centre = rng.random_range(0..clusters) * width;
        keys.extend(centres[centre..][..width].iter().map(|x| x + 0.3 * normal(&mut rng)));
    }
    keys
}

pub fn slots(keys: &[f32], width: usize) -> Vec<NewSlot> {
    let slot =
        |key: &[f32]| NewSlot { key: key.to_vec(), value: vec![key[0]], origin: Origin::default() };
    keys.chunks(width).map(slot).collect()
}

/// The share of the 10 nearest that is found, and that nothing else is.
fn recall(store: &mut dyn Store, exact: &mut Exact, queries: &[f32]) -> f64 {
    let (found, truth) = (store.query(queries, 10).unwrap(), exact.query(queries, 10).unwrap());
    assert_eq!(found.ids.len(), truth.ids.len());
    let mut hits = 0;
    for (found, truth) in found.ids.chunks(10).zip(truth.ids.chunks(10)) {
        let found: HashSet<&u64> = found.iter().collect();
        assert_eq!(found.len(), 10, "no slot twice");
        assert!(found.iter().all(|id| exact.place(**id).is_some()), "none that is gone");
        hits += truth.iter().filter(|id| found.contains(id)).count();
    }
    hits as f64 / truth.ids.len() as f64
}

fn a_graph_finds_nearly_all(kind: Kind, width: usize, distance: Distance) {
    let shape = Shape { d_key: width, d_value: 1, distance };
    let new = slots(&clustered(1, MANY, width, 300), width);
    let queries = clustered(2, 200, width, 300);
    let place = Place::new(kind);
    let (mut store, mut exact) = (place.open(shape), Exact::new(shape));
    let check = |store: &mut dyn Store, exact: &mut Exact, when: &str| {
        let recall = recall(store, exact, &queries);
        assert!(recall > 0.95, "{kind:?} finds {recall} of the nearest {when}");
    };
    store.insert(&new).unwrap();
    exact.insert(&new).unwrap();
    check(&mut *store, &mut exact, "of what was inserted");
    // Those that were found go, others come, some move.
    let gone = exact.query(&queries, 5).unwrap().ids;
    let more = slots(&clustered(3, gone.len(), width, 300), width);
    for store in [&mut *store, &mut exact as &mut dyn Store] {
        store.remove(&gone).unwrap();
        store.insert(&more).unwrap();
        for slot in store.page(7000, 50).unwrap() {
            store.edit(slot.id, Some(&new[0].key), None).unwrap();
        }
        let pair: Vec<u64> = store.page(9000, 2).unwrap().iter().map(|slot| slot.id).collect();
        store.merge(pair[0], pair[1]).unwrap();
        store.evict(MANY - 500).unwrap();
    }
    check(&mut *store, &mut exact, "after changes");
    place.reopen(&mut store, shape);
    check(&mut *store, &mut exact, "when it is opened again");
    store.insert(&more).unwrap();
    exact.insert(&more).unwrap();
    check(&mut *store, &mut exact, "and has grown");
    assert_eq!(store.query(&queries[..width], 1500).unwrap().ids.len(), 1500);
    let lost = store.query(&vec![f32::NAN; width], 3).unwrap();
    assert_eq!(lost.distances, [f32::INFINITY; 3]);
}

#[test]
fn a_graph_in_a_file_finds_nearly_all() {
    a_graph_finds_nearly_all(Kind::Disk, 64, Distance::L2);
}

#[test]
fn a_graph_in_a_file_finds_nearly_all_directions() {
    a_graph_finds_nearly_all(Kind::Disk, 16, Distance::Cosine);
}

#[test]
fn a_graph_in_postgres_finds_nearly_all() {
    a_graph_finds_nearly_all(Kind::Postgres, 16, Distance::L2);
}

#[test]
fn a_graph_in_postgres_finds_nearly_all_directions() {
    a_graph_finds_nearly_all(Kind::Postgres, 8, Distance::Cosine);
}
