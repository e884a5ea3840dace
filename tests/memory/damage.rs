//! Files that are not what they should be.

use std::path::{Path, PathBuf};

use confab::config::Distance;
use confab::memory;
use confab::memory::{Disk, Postgres, Shape, Store, StoreError};
use proptest::prelude::*;

use crate::database::postgres_url;
use crate::places::{Kind, Place};
use crate::{SMALL, line, recall};

fn refusal(file: &Path) -> String {
    let error = Disk::open(file, "a", SMALL).err().expect("a refusal").to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    assert!(error.starts_with("opening"), "{error}");
    error
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let text = "not a database. ".repeat(64); // two of the smallest pages
    std::fs::write(file("text"), &text).unwrap();
    assert!(refusal(&file("text")).contains("name a file that Confab wrote"));
    assert_eq!(std::fs::read_to_string(file("text")).unwrap(), text);

    let other = rusqlite::Connection::open(file("other")).unwrap();
    other.execute_batch("CREATE TABLE spaces (name)").unwrap();
    drop(other);
    let before = std::fs::read(file("other")).unwrap();
    assert!(refusal(&file("other")).contains("another program's"));
    assert_eq!(std::fs::read(file("other")).unwrap(), before);

    assert!(refusal(&file("no/such/folder")).contains("in a folder that is there"));
    assert!(refusal(folder.path()).contains("in a folder that is there"));

    Disk::open(&file("later"), "a", SMALL).unwrap();
    let later = rusqlite::Connection::open(file("later")).unwrap();
    later.pragma_update(None, "user_version", 2).unwrap();
    drop(later);
    assert!(refusal(&file("later")).contains("format 2"));
}

/// A file that was closed, with slots in it.
fn written(folder: &Path) -> PathBuf {
    let file = folder.join("memory.db");
    Disk::open(&file, "a", SMALL).unwrap().insert(&line(500)).unwrap();
    file
}

#[test]
fn what_is_left_of_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    let bytes = std::fs::read(&file).unwrap();
    for left in [1, 99, 100, 4096, 5000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..left]).unwrap();
        assert!(refusal(&file).contains("; "), "{left}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes[..left]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// An error is all that may come of it.
    #[test]
    fn damage_is_survived(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let mut bytes = std::fs::read(&file).unwrap();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        std::fs::write(&file, bytes).unwrap();
        if let Ok(mut store) = Disk::open(&file, "a", SMALL) {
            let _ = memory::all(&mut store);
            let _ = store.query(&[0.0; 3], 7);
            let _ = store.touch(&[1, 2, 3], 4);
            let _ = store.merge(1, 2);
            let _ = store.insert(&line(3));
            let _ = store.evict(20);
        }
    }
}

/// Fails instead of going round and round, and taking memory as it does.
#[test]
fn ids_that_go_back_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    let bytes = std::fs::read(&file).unwrap();
    // A record of the index: its header's length, space 1, two bytes each of the id and the row.
    let last = [4, 9, 2, 2, 1, 243, 1, 244];
    let places = bytes.windows(last.len()).enumerate().filter(|(_, there)| *there == last);
    let [(place, _)] = places.collect::<Vec<_>>().try_into().expect("one slot 499");
    let mut damaged = bytes.clone();
    damaged[place + 4..place + 6].copy_from_slice(&[0, 3]);
    std::fs::write(&file, damaged).unwrap();
    let mut store = Disk::open(&file, "a", SMALL).unwrap();
    for error in [memory::all(&mut store).err(), store.query(&[0.0; 3], 7).err()] {
        let error = error.expect("a refusal").to_string();
        assert!(error.contains("slot 3 stands after slot 498"), "{error}");
        assert!(error.contains("the file is damaged"), "{error}");
        assert!(error.contains(&file.display().to_string()), "{error}");
    }
}

/// The largest id there can be has none after it.
#[test]
fn a_walk_ends_at_the_largest_id() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute("UPDATE slots SET id = ?1 WHERE id = 499", [i64::MAX]).unwrap();
    drop(other);
    let mut store = Disk::open(&file, "a", SMALL).unwrap();
    assert_eq!(memory::all(&mut store).unwrap().len(), 500);
    assert_eq!(store.query(&[499.0, 0.0, 0.0], 1).unwrap().ids, [i64::MAX as u64]);
}

#[test]
fn a_number_of_slots_that_is_damaged_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path());
    for count in [0, 1 << 40, i64::MAX] {
        let other = rusqlite::Connection::open(&file).unwrap();
        other.execute("UPDATE spaces SET count = ?1", [count]).unwrap();
        drop(other);
        let mut store = Disk::open(&file, "a", SMALL).unwrap();
        store.remove(&[1, 2]).unwrap();
        assert_eq!(memory::all(&mut store).unwrap().len(), 498);
        if count > 0 {
            assert_eq!(store.query(&[1.8, 0.0, 0.0], 1).unwrap().ids, [3]);
        }
    }
}

#[test]
fn a_graph_that_is_damaged_or_gone_is_built_anew() {
    let shape = Shape { d_key: 8, d_value: 1, distance: Distance::L2 };
    let place = Place::new(Kind::Disk);
    let keys = recall::clustered(0, 33_000, 8, 300);
    place.disk(shape).insert(&recall::slots(&keys, 8)).unwrap();
    place.disk(shape).query(&keys[..8], 1).unwrap();
    let graph = || {
        let names =
            std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let graphs: Vec<PathBuf> =
            names.filter(|path| path.extension().is_some_and(|end| end == "graph")).collect();
        assert_eq!(graphs.len(), 1, "old files go");
        graphs[0].clone()
    };
    let harm: [fn(&Path); 2] = [
        |graph| std::fs::remove_file(graph).unwrap(),
        |graph| {
            let mut bytes = std::fs::read(graph).unwrap();
            let half = bytes.len() / 2;
            bytes[half..half + 400].fill(255);
            std::fs::write(graph, bytes).unwrap();
        },
    ];
    for harm in harm {
        harm(&graph());
        let found = place.disk(shape).query(&keys[..8 * 500], 1).unwrap();
        let right = found.ids.iter().zip(0..).filter(|(id, place)| *id == place).count();
        // As many as any graph must find: threads build one in no fixed order, and no two find the same.
        assert!(right >= 475, "{right} of 500");
        graph();
    }
}

#[test]
fn one_file_holds_several_stores_each_of_its_shape() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.db");
    let wide = Shape { d_key: 5, ..SMALL };
    let mut first = Disk::open(&file, "blocks.1.memory", SMALL).unwrap();
    let mut second = Disk::open(&file, "blocks.2.memory", wide).unwrap();
    first.insert(&line(3)).unwrap();
    assert_eq!((first.count().unwrap(), second.count().unwrap()), (3, 0));
    assert_eq!(second.query(&[0.0; 5], 1).unwrap().ids, [0u64; 0]);
    let error = Disk::open(&file, "blocks.1.memory", wide).err().unwrap();
    assert!(matches!(error, StoreError::Shape { .. }));
    assert!(error.to_string().contains("keys of 3 numbers"), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    // What another changes is known.
    let mut same = Disk::open(&file, "blocks.1.memory", SMALL).unwrap();
    assert_eq!(first.query(&[0.0; 3], 9).unwrap().ids, [0, 1, 2]);
    same.remove(&[1]).unwrap();
    same.insert(&line(1)).unwrap();
    assert_eq!(first.query(&[0.1, 0.0, 0.0], 9).unwrap().ids, [0, 3, 2]);
}

#[test]
fn postgres_tells_what_is_wrong() {
    let space = format!("shapes {}", std::process::id());
    let url = postgres_url();
    Postgres::connect(&url, &space, SMALL).unwrap();
    let error = Postgres::connect(&url, &space, Shape { d_value: 9, ..SMALL }).err().unwrap();
    assert!(matches!(error, StoreError::Shape { .. }), "{error}");
    let error =
        Postgres::connect("postgresql://me:secret@127.0.0.1:1/db", "a", SMALL).err().unwrap();
    let error = error.to_string();
    assert!(
        error.starts_with("connecting to the PostgreSQL database `db` at 127.0.0.1"),
        "{error}"
    );
    assert!(error.contains("see that the server runs") && !error.contains("secret"), "{error}");
    let error = Postgres::connect("no URL", "a", SMALL).err().unwrap().to_string();
    assert!(error.contains("reading the URL of a database"), "{error}");
}

#[test]
fn postgres_has_a_picture_for_the_character_0() {
    let mut store = Place::new(Kind::Postgres).open(SMALL);
    let mut slots = line(1);
    slots[0].origin.text = "a\0b".into();
    store.insert(&slots).unwrap();
    assert_eq!(store.page(0, 1).unwrap()[0].new.origin.text, "a␀b");
}

#[test]
fn a_file_that_is_cut_off_while_it_is_open_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.db");
    let wide = Shape { d_key: 64, d_value: 64, distance: Distance::L2 };
    let slots: Vec<_> = recall::slots(&recall::clustered(0, 4000, 64, 30), 64)
        .into_iter()
        .map(|slot| confab::memory::NewSlot { value: slot.key.clone(), ..slot })
        .collect();
    Disk::open(&file, "a", wide).unwrap().insert(&slots).unwrap();
    let mut store = Disk::open(&file, "a", wide).unwrap();
    store.query(&slots[0].key, 3).unwrap();
    let bytes = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(bytes / 8).unwrap();
    let error = memory::all(&mut store).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
}

#[test]
fn a_graph_that_is_cut_off_while_it_is_open_is_built_anew() {
    let shape = Shape { d_key: 8, d_value: 1, distance: Distance::L2 };
    let place = Place::new(Kind::Disk);
    let keys = recall::clustered(0, 33_000, 8, 300);
    place.disk(shape).insert(&recall::slots(&keys, 8)).unwrap();
    place.disk(shape).query(&keys[..8], 1).unwrap();
    let mut store = place.disk(shape);
    store.query(&keys[..8], 1).unwrap();
    let names = std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let graphs = names.filter(|path| path.extension().is_some_and(|end| end == "graph"));
    for graph in graphs {
        std::fs::OpenOptions::new().write(true).open(graph).unwrap().set_len(5000).unwrap();
    }
    let found = store.query(&keys[..8 * 500], 1).unwrap();
    let right = found.ids.iter().zip(0..).filter(|(id, place)| *id == place).count();
    assert!(right >= 475, "{right} of 500");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgresql://me@127.0.0.1:{port}/db?connect_timeout=1");
    let error = Postgres::connect(&url, "a", SMALL).err().unwrap().to_string();
    assert!(error.starts_with("connecting to the PostgreSQL database `db`"), "{error}");
    assert!(error.contains("said nothing for 1 seconds"), "{error}");
}
