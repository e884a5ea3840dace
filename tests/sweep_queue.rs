//! `confab sweep --queue`: programs that share the runs of a sweep by a database.

mod common;
#[path = "common/database.rs"]
mod database;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::terminal::{command, confab, ok, refused};
use database::postgres_url;
use postgres::{Client, NoTls};

fn sweep<'a>(url: &'a str, facts: &'a str, steps: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["sweep", "--queue", url, "--facts", facts, "--preset", "1.7k", "--steps", steps];
    let fixed = ["--batch", "4", "--val-batches", "1", "--device", "cpu"];
    [&args[..], &fixed, more].concat()
}

fn start(at: &Path, args: &[&str]) -> Child {
    command(at, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Asks the database until the answer is `wanted`.
fn until(client: &mut Client, query: &str, wanted: i64) {
    let start = Instant::now();
    while client.query_one(query, &[]).map_or(-1, |row| row.get(0)) != wanted {
        assert!(start.elapsed() < Duration::from_secs(60), "waited for {query}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn programs_share_a_sweep_and_take_the_run_of_one_that_was_killed() {
    let url = postgres_url();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut client = Client::connect(&url, NoTls).unwrap();
    client.batch_execute("DROP TABLE IF EXISTS confab_sweep").unwrap();

    // Two at once: each run is trained by one of them, and both tell all outcomes.
    let more = ["--seeds", "3", "--out"];
    let [first, second] = ["a.jsonl", "b.jsonl"]
        .map(|out| start(at, &sweep(&url, "10,20", "40", &[&more[..], &[out]].concat())));
    let outputs = [first, second].map(|child| child.wait_with_output().unwrap());
    let tables = outputs.each_ref().map(ok);
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0].lines().count(), 3, "{}", tables[0]);
    let told =
        outputs.each_ref().map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(told.concat().matches("recalled after").count(), 6, "{told:?}");
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| std::fs::read_to_string(at.join(name)).unwrap());
    assert_eq!((a.lines().count(), &a), (6, &b));
    // All have an outcome, so a third trains none.
    assert_eq!(ok(&confab(at, &sweep(&url, "10,20", "40", &["--seeds", "3"]))), tables[0]);

    // A run whose program is killed is taken when its lease ends, and has one outcome.
    let args = sweep(&url, "30", "1500", &["--seeds", "1", "--lease", "2"]);
    let mut killed = start(at, &args);
    until(&mut client, "SELECT count(*) FROM confab_sweep WHERE until IS NOT NULL", 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let outcomes = "SELECT count(*) FROM confab_sweep WHERE outcome IS NOT NULL";
    until(&mut client, outcomes, 6);
    assert_eq!(ok(&confab(at, &args)).lines().count(), 2);
    until(&mut client, outcomes, 7);
}

#[test]
fn a_queue_that_cannot_be_reached_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (url, says) in [
        ("no url", "reading --queue"),
        ("postgres://x@127.0.0.1:1/x", "connecting to the database of --queue"),
    ] {
        refused(folder.path(), &sweep(url, "10", "2", &[]), &[says]);
    }
    let output = confab(folder.path(), &sweep("x", "10", "2", &["--lease", "0"]));
    assert_eq!(output.status.code(), Some(2));
}
