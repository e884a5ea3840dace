//! Runs with the settings that are tuned to a task learn it. The two shortest whose answers can be counted are trained
//! here; docs/training.md has all.

mod common;

use std::path::Path;

use common::terminal::{confab, ok};

/// Trains such a run in a folder: the percentage that its evaluation tells after `what`.
fn right(folder: &Path, task: &str, what: &str) -> f64 {
    let args = ["train", "--preset", "tuned", "--task", task, "--device", "cpu", "--seed", "1"];
    let files = ["--out", "run.safetensors", "--log", "log.jsonl"];
    ok(&confab(folder, &[&args[..], &files].concat()));
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert!(last["accuracy"].as_f64().unwrap() > 0.7, "{last}");
    let report = ok(&confab(folder, &["eval", "run.safetensors", "--device", "cpu"]));
    let line = report.lines().find_map(|line| line.strip_prefix(what)).expect(&report);
    line.trim().split('%').next().unwrap().parse().unwrap()
}

#[test]
fn numbers_are_copied_from_the_list() {
    let folder = tempfile::tempdir().unwrap();
    assert!(right(folder.path(), "phone", "asked for: digits") > 80.0);
}

#[test]
fn facts_are_recalled() {
    let folder = tempfile::tempdir().unwrap();
    assert!(right(folder.path(), "facts", "fact given: right") > 80.0);
}
