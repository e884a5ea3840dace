//! Runs with the settings that are tuned to a task learn it. The two shortest are trained here; docs/training.md has all.

mod common;

use common::terminal::{confab, ok};
use confab::config::{RunConfig, TaskKind};
use confab::task::Task;
use serde_json::Value;

/// Trains such a run in a folder: its last validation loss, in nats per character.
fn train(folder: &std::path::Path, task: &str) -> f64 {
    let args = ["train", "--preset", "tuned", "--task", task, "--device", "cpu", "--seed", "1"];
    ok(&confab(folder, &[&args[..], &["--log", "log.jsonl", "--out", "run.safetensors"]].concat()));
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["val_loss"].as_f64()).next_back().unwrap()
}

#[test]
fn repeated_sequences_are_copied_nearly_at_the_floor() {
    let folder = tempfile::tempdir().unwrap();
    let floor = Task::new(&RunConfig::tuned(TaskKind::Induction).task).unwrap().floor().unwrap();
    let loss = train(folder.path(), "induction");
    assert!(loss < floor.nats_per_char + 0.15, "{loss} where {} is possible", floor.nats_per_char);
}

#[test]
fn facts_are_recalled() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "facts");
    let report = ok(&confab(folder.path(), &["eval", "run.safetensors", "--device", "cpu"]));
    let right = report.lines().find_map(|line| line.strip_prefix("fact given: right")).unwrap();
    let share: f64 = right.trim().split('%').next().unwrap().parse().unwrap();
    assert!(share > 80.0, "{report}");
}
