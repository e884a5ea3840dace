//! Records of JSON, mixed into those of a task.

mod common;

use std::collections::BTreeSet;

use common::terminal::{TINY, confab, ok};
use confab::base::random::stream_rng;
use confab::checkpoint::Checkpoint;
use confab::config::{SupplementConfig, TaskConfig, TaskKind, TextConfig};
use confab::run::Record;
use confab::run::link::{Link, LinkError, encode};
use confab::task::{Split, Task};

fn lines() -> String {
    let line = |i: usize| {
        let category = if i.is_multiple_of(2) { "even" } else { "odd" };
        format!(
            "{{\"instruction\": \"Say {i} & more\", \"output\": \"{i}\", \"category\": \"{category}\"}}\n"
        )
    };
    (0..40).map(line).collect()
}

fn task(kind: TaskKind, text: &str, share: f64) -> Result<Task, String> {
    let supplement = SupplementConfig { text: text.into(), file: None, share };
    let text = TextConfig {
        text: "A plain text of its own, which is long enough.".into(),
        ..TextConfig::default()
    };
    Task::new(&TaskConfig { kind, text, supplement, ..TaskConfig::default() })
        .map_err(|error| error.to_string())
}

fn drawn(task: &Task, split: Split) -> Vec<Record> {
    (0..50).flat_map(|stream| task.draw_batch(split, 300, 16, &mut stream_rng(1, stream))).collect()
}

#[test]
fn the_share_of_training_records_is_that_of_the_supplement_with_its_categories() {
    for kind in [TaskKind::Phone, TaskKind::Facts, TaskKind::Induction, TaskKind::Text] {
        let (mixed, alone) = (task(kind, &lines(), 0.25).unwrap(), task(kind, "", 0.0).unwrap());
        let is_other = |record: &&Record| record.text.contains(" & more");
        let records = drawn(&mixed.training(), Split::Train);
        let others: Vec<&Record> = records.iter().filter(is_other).collect();
        // 800 draws: five standard deviations are 0.077.
        let share = others.len() as f64 / records.len() as f64;
        assert!((share - 0.25).abs() < 0.077, "{kind:?}: {share}");
        let categories: BTreeSet<_> =
            others.iter().filter_map(|record| record.category.as_deref()).collect();
        assert_eq!(categories, BTreeSet::from(["even", "odd"]));
        // What is evaluated, and the floor, are the task's own.
        assert_eq!(drawn(&mixed, Split::Train), drawn(&alone, Split::Train));
        assert_eq!(drawn(&mixed.training(), Split::Validation), drawn(&alone, Split::Validation));
        let nats = |task: &Task| task.floor().map(|floor| floor.total_nats);
        match (nats(&mixed), nats(&alone)) {
            (Some(mixed), Some(alone)) => assert!((mixed - alone).abs() < 1e-9),
            floors => assert_eq!(floors, (None, None)),
        }
        // Its alphabet is that of both, and no record is cut.
        let tokenizer = mixed.tokenizer();
        for record in &records {
            assert_eq!(tokenizer.decode(&tokenizer.encode(&record.text).unwrap()), record.text);
            assert!(kind == TaskKind::Text || record.len() <= mixed.longest());
        }
        assert!(
            tokenizer.id("&").is_some()
                && (kind == TaskKind::Text || alone.tokenizer().id("&").is_none())
        );
    }
}

#[test]
fn held_out_records_of_the_supplement_are_not_trained_on() {
    let text = TextConfig { text: lines(), ..TextConfig::default() };
    let held_out =
        Task::new(&TaskConfig { kind: TaskKind::Text, text, ..TaskConfig::default() }).unwrap();
    let held_out: BTreeSet<&str> =
        held_out.records(Split::Validation).iter().map(|record| record.text.as_str()).collect();
    assert_eq!(held_out.len(), 4);
    let all = task(TaskKind::Phone, &lines(), 1.0).unwrap();
    let trained = drawn(&all.training(), Split::Train);
    assert!(trained.iter().all(|record| !held_out.contains(record.text.as_str())));
    assert!(trained.iter().all(|record| record.text.contains(" & more")), "a share of 1");
    let none = task(TaskKind::Phone, &lines(), 0.0).unwrap();
    assert!(drawn(&none.training(), Split::Train).iter().all(|record| !record.text.contains('&')));
}

#[test]
fn a_supplement_that_cannot_be_mixed_in_is_refused() {
    let plain = "A plain text that is no JSON, and long enough to be read.";
    assert!(task(TaskKind::Phone, plain, 0.1).unwrap_err().contains("JSON"));
    assert!(
        task(TaskKind::Phone, "{\"question\": 1}\n{}\n                    ", 0.1)
            .unwrap_err()
            .contains("line 1")
    );
    assert!(task(TaskKind::Phone, &lines(), 1.5).unwrap_err().contains("from 0 to 1"));
    assert!(task(TaskKind::Phone, &lines(), f64::NAN).unwrap_err().contains("from 0 to 1"));
    assert!(task(TaskKind::Modular, &lines(), 0.1).unwrap_err().contains("characters"));
}

#[test]
fn a_supplement_travels_in_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("more.jsonl"), lines()).unwrap();
    let mixed = ["--supplement-file", "more.jsonl", "--supplement-share", "0.5"];
    let train =
        [&["train", "--steps", "4", "--out", "whole.safetensors"], TINY, &mixed[..]].concat();
    ok(&confab(at, &train));
    std::fs::remove_file(at.join("more.jsonl")).unwrap();
    let whole =
        Checkpoint::from_bytes(&std::fs::read(at.join("whole.safetensors")).unwrap()).unwrap();
    assert_eq!(
        whole.config.task.supplement,
        SupplementConfig { text: lines(), file: None, share: 0.5 }
    );
    ok(&confab(at, &["train", "--resume", "whole.safetensors", "--steps", "6", "--device", "cpu"]));
    ok(&confab(at, &["eval", "whole.safetensors", "--records", "4", "--device", "cpu"]));
    assert_eq!(encode(&Link { config: whole.config, ..Link::default() }), Err(LinkError::File));
    // The model reads the supplement as a task of its own, by category.
    std::fs::write(at.join("more.jsonl"), lines()).unwrap();
    let args = [
        "eval",
        "whole.safetensors",
        "--as-task",
        "text",
        "--text-file",
        "more.jsonl",
        "--device",
        "cpu",
    ];
    let evaluated = ok(&confab(at, &args));
    assert!(
        evaluated.contains("fact given: even") && evaluated.contains("fact given: odd"),
        "{evaluated}"
    );

    let printed = ok(&confab(at, &[&["data", "--records", "40"], &mixed[..]].concat()));
    assert!(printed.contains(" & more") && printed.contains("====="), "{printed}");
    let held_out =
        ok(&confab(at, &[&["data", "--records", "40", "--validation"], &mixed[..]].concat()));
    assert!(!held_out.contains(" & more"));
    for alone in
        [&mixed[..2], &mixed[2..], &["--supplement-file", "more.jsonl", "--supplement-share", "2"]]
    {
        assert_eq!(confab(at, &[&["data"], alone].concat()).status.code(), Some(2));
    }
}
