//! Names that a user brings to the phone book.

mod common;

use common::terminal::{confab, ok};
use confab::base::random::stream_rng;
use confab::checkpoint::Checkpoint;
use confab::config::PhoneConfig;
use confab::run::Field;
use confab::run::link::{Link, LinkError, encode};
use confab::task::{Phone, RecordSource, Split, Task, surprisals};

fn phone(own_names: &str) -> Result<Phone, String> {
    Phone::new(&PhoneConfig { lines: 2, own_names: own_names.into(), ..PhoneConfig::default() })
}

/// The names in some records, sorted.
fn drawn(phone: &Phone) -> Vec<String> {
    let mut names: Vec<String> = (0..300)
        .flat_map(|stream| {
            let record = phone.draw(Split::Train, 0, &mut stream_rng(1, stream)).text;
            let lines = record
                .lines()
                .skip(1)
                .take(2)
                .map(|line| line.split(':').next().unwrap().to_string());
            lines
                .flat_map(|name| name.split(' ').map(String::from).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn every_line_is_a_name_whatever_ends_it() {
    let list = "\u{feff}Anne-Marie\r\n\r\n  O'Neil \rZo\u{eb}\nO'Neil\n\n\u{674e}";
    let phone = phone(list).unwrap();
    assert_eq!(drawn(&phone), ["Anne-Marie", "O'Neil", "Zo\u{eb}", "\u{674e}"]);
    let task = Task::from(phone);
    let mut rng = stream_rng(2, 0);
    for _ in 0..200 {
        let record = task.draw(Split::Train, 0, &mut rng);
        let tokenizer = task.tokenizer();
        assert_eq!(tokenizer.decode(&tokenizer.encode(&record.text).unwrap()), record.text);
        assert!(record.len() <= task.longest());
        assert!(surprisals(&task, record.symbols()).iter().all(Option::is_some), "{}", record.text);
    }
}

#[test]
fn the_floor_is_that_of_names_drawn_evenly() {
    // Two letters of three names differ: each name costs ln 3, and the choice of a line ln 2 less what lines share.
    let three = phone("A-x\nB-x\nC-x\nA-x").unwrap().floor().unwrap();
    let names = three.field(Field::Name).unwrap();
    assert!((names.nats - 4.0 * 3f64.ln()).abs() < 1e-9, "{three:?}");
    assert!((names.chars - 4.0 * 3.0).abs() < 1e-9);
    let two = phone("A-x\nB-x").unwrap().floor().unwrap();
    assert!((two.field(Field::Name).unwrap().nats - 4.0 * 2f64.ln()).abs() < 1e-9);
}

#[test]
fn what_would_break_a_record_is_refused_with_its_line() {
    let long = "x".repeat(33);
    let broken = ["Ann Lee", "Ann2", "Ann:", "A=B", "Who?", "{B}", "A\tB", "\u{663}", &long];
    for name in broken {
        let refused = phone(&format!("Ann\r\n\r\n{name}\r\nBob")).unwrap_err();
        assert!(refused.contains("line 3"), "{name:?}: {refused}");
    }
    assert!(phone(&"x".repeat(300 << 10)).unwrap_err().contains("bytes"));
    assert!(phone("Ann\nAnn\n").unwrap_err().contains("2 or more"));
    let many: String = (0..2001u32)
        .map(|n| {
            (0..11).map(|i| char::from(b'a' + (n >> i & 1) as u8)).chain(['\n']).collect::<String>()
        })
        .collect();
    assert!(phone(&many).unwrap_err().contains("2001"));
    // Nothing but blank lines is no list.
    assert!(drawn(&phone(" \n").unwrap()).len() > 100);
}

#[test]
fn names_travel_in_the_checkpoint_and_in_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("names.txt"), "Anne-Marie\r\nO'Neil\r\nZo\u{eb}\r\n").unwrap();
    let run = [
        "--lines",
        "1",
        "--context",
        "128",
        "--batch",
        "4",
        "--val-batches",
        "1",
        "--device",
        "cpu",
    ];
    let train = [
        &["train", "--names-file", "names.txt", "--steps", "2", "--out", "a.safetensors"],
        &run[..],
    ]
    .concat();
    ok(&confab(at, &train));
    std::fs::remove_file(at.join("names.txt")).unwrap();
    ok(&confab(
        at,
        &[
            "train",
            "--resume",
            "a.safetensors",
            "--steps",
            "4",
            "--device",
            "cpu",
            "--out",
            "b.safetensors",
        ],
    ));
    let config =
        Checkpoint::from_bytes(&std::fs::read(at.join("b.safetensors")).unwrap()).unwrap().config;
    assert_eq!(config.task.phone.own_names.lines().count(), 3);
    let evaluated =
        ok(&confab(at, &["eval", "b.safetensors", "--records", "4", "--device", "cpu"]));
    assert!(evaluated.contains("asked for: number"), "{evaluated}");
    assert_eq!(encode(&Link { config, ..Link::default() }), Err(LinkError::File));

    std::fs::write(at.join("bad.txt"), "Ann\nAnn Lee\n").unwrap();
    let refused = confab(at, &["data", "--names-file", "bad.txt"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("bad.txt") && message.contains("line 2"), "{message}");
    let other = confab(at, &["data", "--task", "facts", "--names-file", "bad.txt"]);
    assert!(String::from_utf8_lossy(&other.stderr).contains("--task phone"));
}
