//! Stores: in memory, in a file and in PostgreSQL, held against a list that is searched slot by slot.
#![cfg(feature = "cli")]

#[path = "memory/crash.rs"]
mod crash;
#[path = "memory/damage.rs"]
mod damage;
#[path = "common/database.rs"]
mod database;
#[path = "memory/model.rs"]
mod model;
#[path = "memory/places.rs"]
mod places;
#[path = "memory/recall.rs"]
mod recall;

use confab::config::Distance;
use confab::memory;
use confab::memory::{Exact, NewSlot, Origin, Shape, Store, StoreError};
use proptest::prelude::*;

use model::Model;
use places::{PLACES, Place};

const SMALL: Shape = Shape { d_key: 3, d_value: 2, distance: Distance::L2 };

fn slot(key: &[f32], value: &[f32], step: u64) -> NewSlot {
    let origin = Origin { text: format!("it's \"{step}\""), next: "é".into(), step, record: 7 };
    NewSlot { key: key.to_vec(), value: value.to_vec(), origin }
}

/// Slots at 0, 1, 2, … on the first axis.
fn line(n: usize) -> Vec<NewSlot> {
    (0..n).map(|i| slot(&[i as f32, 0.0, 0.0], &[i as f32, 1.0], i as u64)).collect()
}

/// Runs a test on every kind of store.
fn on_each(shape: Shape, test: impl Fn(&mut dyn Store)) {
    for place in PLACES {
        test(&mut *Place::new(place).open(shape));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<NewSlot>),
    Touch(Vec<u64>, u64),
    Evict(usize),
    Remove(Vec<u64>),
    Edit(u64, Option<Vec<f32>>, Option<Vec<f32>>),
    Merge(u64, u64),
    Query(Vec<f32>, usize),
    Reopen,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Whole numbers, so that many distances are the same.
    let number = || (-3i8..=3).prop_map(f32::from);
    let numbers = move |n| prop::collection::vec(number(), n);
    let id = || 0u64..24;
    let ids = move || prop::collection::vec(id(), 0..8);
    let new = (numbers(3), numbers(2), "\\PC{0,8}", "[é'\";]?", 0u64..9, 0u32..4).prop_map(
        |(key, value, text, next, step, record)| {
            let origin = Origin { text, next, step, record };
            NewSlot { key, value, origin }
        },
    );
    let op = prop_oneof![
        4 => prop::collection::vec(new, 0..6).prop_map(Op::Insert),
        3 => (ids(), 0u64..20).prop_map(|(ids, step)| Op::Touch(ids, step)),
        1 => (0usize..16).prop_map(Op::Evict),
        1 => ids().prop_map(Op::Remove),
        2 => (id(), prop::option::of(numbers(3)), prop::option::of(numbers(2)))
            .prop_map(|(id, key, value)| Op::Edit(id, key, value)),
        2 => (id(), id()).prop_map(|(kept, gone)| Op::Merge(kept, gone)),
        4 => (0usize..4, 0usize..12)
            .prop_flat_map(move |(n, k)| (numbers(3 * n), Just(k)))
            .prop_map(|(queries, k)| Op::Query(queries, k)),
        1 => Just(Op::Reopen),
    ];
    prop::collection::vec(op, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_store_does_what_a_list_does(ops in ops(), cosine in any::<bool>()) {
        let distance = if cosine { Distance::Cosine } else { Distance::L2 };
        let shape = Shape { distance, ..SMALL };
        for place in PLACES {
            let place = Place::new(place);
            let (mut store, mut model) = (place.open(shape), Model::new(shape));
            for op in &ops {
                match op {
                    Op::Insert(slots) => {
                        prop_assert_eq!(store.insert(slots).unwrap(), model.insert(slots));
                    }
                    Op::Touch(ids, step) => {
                        store.touch(ids, *step).unwrap();
                        model.touch(ids, *step);
                    }
                    Op::Evict(most) => {
                        prop_assert_eq!(store.evict(*most).unwrap(), model.evict(*most));
                    }
                    Op::Remove(ids) => {
                        prop_assert_eq!(store.remove(ids).unwrap(), model.remove(ids));
                    }
                    Op::Edit(id, key, value) => {
                        let edited = store.edit(*id, key.as_deref(), value.as_deref());
                        let there = model.edit(*id, key.as_deref(), value.as_deref());
                        prop_assert_eq!(edited.is_ok(), there);
                    }
                    Op::Merge(kept, gone) => {
                        store.merge(*kept, *gone).unwrap();
                        model.merge(*kept, *gone);
                    }
                    Op::Query(queries, k) => {
                        let found = store.query(queries, *k).unwrap();
                        model.check(queries, *k, &found).map_err(TestCaseError::fail)?;
                    }
                    Op::Reopen => place.reopen(&mut store, shape),
                }
                prop_assert_eq!(store.count().unwrap(), model.slots.len());
            }
            let all = memory::all(&mut *store).unwrap();
            model.check_all(&all).map_err(TestCaseError::fail)?;
            let asked = [3, 900, 1, 3];
            let ids: Vec<u64> = store.get(&asked).unwrap().iter().map(|slot| slot.id).collect();
            let there = asked.into_iter().filter(|id| all.iter().any(|slot| slot.id == *id));
            prop_assert_eq!(ids, there.collect::<Vec<u64>>());
        }
    }

    #[test]
    fn what_is_found_is_nearest(seed in any::<u64>(), cosine in any::<bool>(), k in 1usize..40) {
        let distance = if cosine { Distance::Cosine } else { Distance::L2 };
        let shape = Shape { d_key: 16, d_value: 1, distance };
        let keys = recall::clustered(seed, 300, 16, 9);
        let slots: Vec<NewSlot> = keys.chunks(16).map(|key| slot(key, &[0.0], 0)).collect();
        let mut model = Model::new(shape);
        model.insert(&slots);
        let queries = recall::clustered(seed ^ 1, 5, 16, 9);
        for place in PLACES {
            let mut store = Place::new(place).open(shape);
            store.insert(&slots).unwrap();
            let found = store.query(&queries, k).unwrap();
            model.check(&queries, k, &found).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn a_slot_comes_back_as_it_was_given() {
    on_each(SMALL, |store| {
        let mut given = slot(&[1.5, -0.0, f32::MIN_POSITIVE], &[f32::MAX, -1e-30], 3);
        given.origin.text = "Zoë said: '\\x27; DROP TABLE confab_spaces; --\"\n\t🦀".into();
        let ids = store.insert(std::slice::from_ref(&given)).unwrap();
        let [there] = store.get(&ids).unwrap().try_into().unwrap();
        assert_eq!((there.id, there.hits, there.last, there.merged), (0, 0, 3, 1));
        assert_eq!(there.new, given);
    });
}

#[test]
fn nothing_is_found_in_nothing() {
    on_each(SMALL, |store| {
        assert_eq!(store.query(&[0.0; 6], 5).unwrap().ids, [0u64; 0]);
        assert_eq!(store.evict(0).unwrap(), [0u64; 0]);
        assert_eq!(store.insert(&[]).unwrap(), [0u64; 0]);
        assert_eq!(store.page(0, 10).unwrap(), []);
        store.insert(&line(4)).unwrap();
        assert_eq!(store.query(&[0.0; 6], 0).unwrap().ids, [0u64; 0]);
        assert_eq!(store.query(&[], 3).unwrap().ids, [0u64; 0]);
        let all = store.query(&[2.9, 0.0, 0.0], 99).unwrap();
        assert_eq!((all.k, all.ids), (4, vec![3, 2, 1, 0]));
        assert_eq!((all.keys.len(), all.values.len()), (12, 8));
        assert_eq!(store.page(u64::MAX, 3).unwrap(), []);
        assert_eq!(store.page(1, 2).unwrap().len(), 2);
    });
}

#[test]
fn other_shapes_are_refused_whole() {
    on_each(SMALL, |store| {
        let wide = slot(&[0.0; 4], &[0.0; 2], 1);
        let both = [slot(&[0.0; 3], &[0.0; 2], 1), wide];
        assert!(matches!(
            store.insert(&both),
            Err(StoreError::Width { what: "key", got: 4, takes: 3 })
        ));
        let narrow = slot(&[0.0; 3], &[0.0], 1);
        assert!(matches!(store.insert(&[narrow]), Err(StoreError::Width { what: "value", .. })));
        assert!(matches!(store.query(&[0.0; 4], 1), Err(StoreError::Width { what: "query", .. })));
        for bad in [f32::NAN, f32::INFINITY] {
            let both = [slot(&[0.0; 3], &[0.0; 2], 1), slot(&[bad, 0.0, 0.0], &[0.0; 2], 1)];
            assert!(matches!(store.insert(&both), Err(StoreError::NotFinite)));
        }
        assert_eq!(store.count().unwrap(), 0);
        store.insert(&line(2)).unwrap();
        assert!(matches!(store.edit(0, Some(&[0.0]), None), Err(StoreError::Width { .. })));
        assert!(matches!(store.edit(0, None, Some(&[f32::NAN; 2])), Err(StoreError::NotFinite)));
    });
}

#[test]
fn unknown_slots_are_passed_over_or_named() {
    on_each(SMALL, |store| {
        store.insert(&line(3)).unwrap();
        for unknown in [3, u64::MAX] {
            store.touch(&[unknown], 5).unwrap();
            store.merge(0, unknown).unwrap();
            store.merge(unknown, 0).unwrap();
            assert_eq!(store.remove(&[unknown]).unwrap(), 0);
            assert_eq!(store.get(&[unknown]).unwrap(), []);
            let error = store.edit(unknown, Some(&[0.0; 3]), None).unwrap_err();
            assert!(matches!(error, StoreError::Unknown(id) if id == unknown), "{error}");
        }
        store.merge(1, 1).unwrap();
        assert_eq!(store.count().unwrap(), 3);
    });
}

#[test]
fn nothing_is_near_to_what_is_no_number() {
    on_each(SMALL, |store| {
        store.insert(&line(5)).unwrap();
        let bad = [f32::NAN, 0.0, 0.0, 4.0, 0.0, 0.0, f32::INFINITY, 0.0, 0.0];
        let found = store.query(&bad, 2).unwrap();
        assert_eq!(found.ids.len(), 6);
        assert_eq!(&found.ids[2..4], [4, 3]);
        assert_eq!(found.distances[2..4], [0.0, 1.0]);
        for lost in [&found.distances[..2], &found.distances[4..]] {
            assert!(lost.iter().all(|distance| *distance == f32::INFINITY), "{lost:?}");
        }
    });
}

#[test]
fn zeros_have_no_direction() {
    on_each(Shape { distance: Distance::Cosine, ..SMALL }, |store| {
        let keys = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [-1.0, 0.0, 0.0]];
        let slots: Vec<NewSlot> = keys.iter().map(|key| slot(key, &[0.0; 2], 1)).collect();
        store.insert(&slots).unwrap();
        let found = store.query(&[5.0, 0.0, 0.0, 0.0, 0.0, 0.0], 3).unwrap();
        assert_eq!(found.ids, [1, 0, 2, 0, 1, 2]);
        assert_eq!(found.distances, [0.0, 1.0, 2.0, 1.0, 1.0, 1.0]);
    });
}

#[test]
fn ids_are_not_given_twice() {
    for kind in PLACES {
        let place = Place::new(kind);
        let mut store = place.open(SMALL);
        store.insert(&line(3)).unwrap();
        store.remove(&[2]).unwrap();
        place.reopen(&mut store, SMALL);
        assert_eq!(store.insert(&line(1)).unwrap(), [3]);
    }
}

#[test]
fn a_store_of_slots_keeps_their_ids() {
    on_each(SMALL, |store| {
        store.insert(&line(5)).unwrap();
        store.remove(&[1]).unwrap();
        let slots = memory::all(store).unwrap();
        let mut copy = Exact::of_slots(SMALL, slots.clone(), 0).unwrap();
        assert_eq!(memory::all(&mut copy).unwrap(), slots);
    });
}
