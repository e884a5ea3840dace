//! Slots that remain when a program is killed while it writes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use confab::config::Distance;
use confab::memory;
use confab::memory::{Disk, NewSlot, Origin, Shape, Store};

use crate::recall;

const SHAPE: Shape = Shape { d_key: 8, d_value: 1, distance: Distance::L2 };
const BATCH: usize = 50;
/// Enough for a graph.
const BEFORE: usize = 33_000;
/// Names the file to the program that will be killed.
const FILE: &str = "CONFAB_CRASH_FILE";
const NAME: &str = "crash::a_program_that_is_killed_loses_no_finished_batch";

fn open(file: &Path) -> Disk {
    Disk::open(file, "blocks.1.memory", SHAPE).unwrap()
}

/// The slots of a batch, which are told by their step.
fn batch(number: u64) -> Vec<NewSlot> {
    let keys = recall::clustered(number, BATCH, SHAPE.d_key, 300);
    let mut slots = recall::slots(&keys, SHAPE.d_key);
    for (record, slot) in slots.iter_mut().enumerate() {
        slot.origin = Origin { step: number, record: record as u32, ..Origin::default() };
    }
    slots
}

/// Writes batches until it is killed, and prints the number of each that was written.
fn write_batches(file: &Path) -> ! {
    let mut store = open(file);
    let last = memory::all(&mut store).unwrap().iter().map(|slot| slot.new.origin.step).max();
    for number in last.unwrap() + 1.. {
        store.insert(&batch(number)).unwrap();
        println!("\nbatch {number}");
        std::io::stdout().flush().unwrap();
        if number % 8 == 0 {
            store.query(&batch(number)[0].key, 10).unwrap();
        }
    }
    unreachable!()
}

/// Starts a program, kills it after a while, and tells the last batch that it had written.
fn kill_after(file: &Path, time: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = lines.filter_map(|line| line.ok()?.strip_prefix("batch ")?.parse().ok());
    let first: u64 = numbers.next().expect("a first batch");
    std::thread::sleep(time);
    child.kill().unwrap(); // SIGKILL
    let last = numbers.last().unwrap_or(first);
    child.wait().unwrap();
    last
}

fn graphs(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.ends_with(".graph")).collect()
}

#[test]
fn a_program_that_is_killed_loses_no_finished_batch() {
    if let Some(file) = std::env::var_os(FILE) {
        write_batches(Path::new(&file));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.db");
    let mut store = open(&file);
    let keys = recall::clustered(0, BEFORE, SHAPE.d_key, 300);
    store.insert(&recall::slots(&keys, SHAPE.d_key)).unwrap();
    store.query(&keys[..8], 1).unwrap();
    drop(store);
    let graph = graphs(folder.path());
    assert_eq!(graph.len(), 1);
    for milliseconds in [1, 40, 170, 333, 90] {
        let last = kill_after(&file, Duration::from_millis(milliseconds));
        let db = rusqlite::Connection::open(&file).unwrap();
        let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        drop(db);
        let mut store = open(&file);
        let slots = memory::all(&mut store).unwrap();
        assert_eq!(store.count().unwrap(), slots.len());
        let (old, new) = slots.split_at(BEFORE);
        assert!(old.iter().all(|slot| slot.new.origin.step == 0));
        // What was not finished may be there, but whole.
        let written = new.len() / BATCH;
        assert!(written as u64 == last || written as u64 == last + 1, "{written} of {last}");
        for (number, slots) in (1..).zip(new.chunks(BATCH)) {
            let there: Vec<&NewSlot> = slots.iter().map(|slot| &slot.new).collect();
            assert!(there.into_iter().eq(&batch(number)), "batch {number} is whole");
        }
        // The graph has what the table has.
        let newest = &new[new.len().saturating_sub(400)..];
        let keys: Vec<f32> = newest.iter().flat_map(|slot| slot.new.key.clone()).collect();
        let found = store.query(&keys, 1).unwrap();
        let right = found.ids.iter().zip(newest).filter(|(id, slot)| **id == slot.id).count();
        assert!(right * 100 >= newest.len() * 99, "{right} of {}", newest.len());
        assert_eq!(graphs(folder.path()), graph, "it has caught up, and was not built anew");
        std::mem::forget(store); // as if this program too were killed
    }
}
