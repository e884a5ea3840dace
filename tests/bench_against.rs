//! `confab bench --against`: ratios to another build, which is measured in turn.
#![cfg(unix)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::terminal::{confab, ok, refused};

/// A program that prints `text`, and notes in the file `calls` how it was called.
fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\necho \"$*\" >>calls\ncat <<'ROWS'\n{text}\nROWS\n"))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn bench<'a>(other: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["bench", "--preset", "1.7k", "--device", "cpu", "--rounds", "5", "--turns", "1"];
    [&args[..], &["--against", other], more].concat()
}

#[test]
fn a_build_is_measured_in_turn_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // A build that takes a million seconds a step, and for a character; of one shape, with a part that is not known here.
    let row = r#"[{"size":"1.7k","kind":"cpu","shape":{"batch":32,"seq":64},"time":{"step":1e6},
        "characters_per_s":1e-6,"colour":"red"}]"#;
    program(at, "slow", row);
    let printed = ok(&confab(at, &bench("./slow", &["--json"])));
    let rows: serde_json::Value = serde_json::from_str(&printed).expect(&printed);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows[0]["shape"]["seq"], 64);
    for of in ["steps_per_s", "characters_per_s"] {
        let [median, least, most] =
            ["median", "least", "most"].map(|name| rows[0][of][name].as_f64().unwrap());
        assert!(median > 1e6 && least == median && most == median, "{rows}");
    }
    let calls = std::fs::read_to_string(at.join("calls")).unwrap();
    assert_eq!(calls, "bench --json --python  --preset 1.7k --device cpu --rounds 5\n");
}

#[test]
fn what_is_no_build_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    program(at, "other", "hello");
    for (name, why) in
        [("./other", "no rows of `confab bench --json`"), ("./none", "No such file"), ("false", "")]
    {
        refused(at, &bench(name, &[]), &[&format!("on cpu with {name}"), why]);
    }
}
