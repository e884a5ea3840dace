//! `confab sweep --sweep`: a run for each value of some settings.

mod common;

use std::path::Path;

use common::terminal::{confab, ok, refused};
use confab::config::RunConfig;
use confab::report::sweep::{OutcomeLine, Trained, read};
use confab::run::link;

const FAST: &[&str] = &["--steps", "3", "--batch", "4", "--val-batches", "1", "--device", "cpu"];

fn sweep(at: &Path, more: &[&str]) -> std::process::Output {
    confab(at, &[&["sweep"], FAST, more].concat())
}

fn outcomes(at: &Path) -> Vec<Trained> {
    read(std::fs::read(at.join("sweep.jsonl")).unwrap().as_slice()).unwrap()
}

fn config(outcome: &Trained) -> RunConfig {
    link::decode(&outcome.link).unwrap().config
}

#[test]
fn all_combinations_are_trained_and_each_as_a_run_of_its_own_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let axes = ["--sweep", "d-model=4,8", "--sweep", "model.norm=layer,rms", "--seeds", "2"];
    let table = ok(&sweep(at, &[&axes[..], &["--table", "t.tsv"]].concat()));
    assert_eq!(table.lines().count(), 5, "{table}");
    let all = outcomes(at);
    assert_eq!(all.len(), 8);
    let mut settings: Vec<_> = all
        .iter()
        .map(|of| (config(of).model.d_model, config(of).model.norm.name(), of.seed))
        .collect();
    settings.sort();
    settings.dedup();
    assert_eq!(settings.len(), 8);

    let one = all.iter().find(|of| config(of).model.d_model == 8 && of.seed == 2).unwrap();
    let link = format!("#{}", one.link);
    ok(&confab(at, &["train", "--link", &link, "--device", "cpu", "--log", "one.jsonl"]));
    let log = std::fs::read_to_string(at.join("one.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let close = |of: &str, expected: Option<f32>| {
        let told = last[of].as_f64().unwrap();
        assert!((told - f64::from(expected.unwrap())).abs() < 1e-6, "{of}: {told}, {expected:?}");
    };
    close("train_loss", one.train_loss);
    close("val_loss", one.val_loss);
    close("accuracy", one.accuracy);

    let tabbed = std::fs::read_to_string(at.join("t.tsv")).unwrap();
    let cells: Vec<Vec<&str>> = tabbed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(cells[0][..3], ["model.d_model", "model.norm", "parameters"]);
    assert!(cells.iter().all(|row| row.len() == cells[0].len()));
    let of_4 = all
        .iter()
        .filter(|of| config(of).model.d_model == 4 && config(of).model.norm.name() == "rms");
    let losses: Vec<f64> = of_4.map(|of| f64::from(of.val_loss.unwrap())).collect();
    let mean = (losses[0] + losses[1]) / 2.0;
    let column = cells[0].iter().position(|name| *name == "validation loss").unwrap();
    let row = cells.iter().find(|row| row[..2] == ["4", "rms"]).unwrap();
    assert!(row[column].starts_with(&format!("{mean:.4} ± ")), "{row:?}, {mean}");

    // Nothing is trained again, also where the grid is larger by now.
    let before = std::fs::read_to_string(at.join("sweep.jsonl")).unwrap();
    assert_eq!(ok(&sweep(at, &axes)), table);
    assert_eq!(std::fs::read_to_string(at.join("sweep.jsonl")).unwrap(), before);
    let wider = ["--sweep", "d-model=4,8,12", "--sweep", "model.norm=layer,rms", "--seeds", "2"];
    assert_eq!(ok(&sweep(at, &wider)).lines().count(), 7);
    assert!(std::fs::read_to_string(at.join("sweep.jsonl")).unwrap().starts_with(&before));
    let svg = std::fs::read_to_string(at.join("sweep.svg")).unwrap();
    assert!(
        svg.contains("norm layer") && svg.contains("norm rms") && svg.contains("model.d_model")
    );
    assert!(!at.join("sweep-2.svg").exists(), "the sweep's own curves are drawn anew");
}

#[test]
fn both_kinds_of_learner_stand_in_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let axes = ["--sweep", "learner=gpt,codec", "--sweep", "train.records=20,40"];
    let task = ["--task", "spacing", "--seeds", "1", "--x", "train.records", "--y", "accuracy"];
    let table = ok(&sweep(at, &[&axes[..], &task].concat()));
    assert_eq!(table.lines().count(), 5, "{table}");
    let all = outcomes(at);
    let of = |name: &str| {
        let of = all.iter().filter(|of| config(of).learner.name() == name);
        of.map(|of| of.accuracy.unwrap()).collect::<Vec<_>>()
    };
    // Three steps of twelve records in all: the codec knows letters by then, a transformer knows nothing.
    assert!(of("codec").iter().all(|share| *share > 0.5), "{all:?}");
    assert!(of("gpt").iter().all(|share| *share < 0.5), "{all:?}");
    let svg = std::fs::read_to_string(at.join("sweep.svg")).unwrap();
    assert!(svg.contains("learner gpt") && svg.contains("learner codec"));
}

#[test]
fn a_run_that_diverges_is_told_and_ends_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let unstable = ["--norm", "none", "--clip", "0", "--warmup", "0", "--steps", "40"];
    let axes =
        ["sweep", "--sweep", "lr=0.001,10", "--seeds", "1", "--batch", "4", "--device", "cpu"];
    let table = ok(&confab(at, &[&axes[..], &unstable].concat()));
    let all = outcomes(at);
    assert_eq!(all.len(), 2);
    let diverged = all.iter().find(|of| config(of).train.lr > 1.0).unwrap();
    assert!(diverged.train_loss.is_none() && diverged.steps < 40, "{diverged:?}");
    let other = all.iter().find(|of| config(of).train.lr < 1.0).unwrap();
    assert!(other.val_loss.is_some() && other.steps == 40, "{other:?}");
    assert!(table.lines().next().unwrap().contains("diverged"), "{table}");
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (axis, told) in [
        ("model.d_model", "KEY=VALUE"),
        ("model.wings=1,2", "model.wings"),
        ("model.d_model=4,x", "`x`"),
        ("model.d_model=4,4", "twice"),
        ("seed=1,2", "--seeds"),
        ("task.text.text=a,b", "text"),
        ("preset=huge", "preset"),
    ] {
        let output = sweep(at, &["--sweep", axis]);
        assert_eq!(output.status.code(), Some(2), "{axis}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(told), "{axis}: {message}");
    }
    let with = |more: &[&'static str]| [&["sweep"], FAST, more].concat();
    // Five heads do not divide a width of 4.
    refused(at, &with(&["--sweep", "n-heads=2,5", "--sweep", "d-model=4"]), &["5, 4"]);
    refused(at, &with(&["--sweep", "lr=0.1", "--x", "wings"]), &["wings", "validation loss"]);
    refused(at, &with(&["--sweep", "d-model=4", "--sweep", "model.d_model=8"]), &["twice"]);
    refused(
        at,
        &with(&["--sweep", "lr=0.1", "--seeds", "1000", "--sweep", "d-model=4,8"]),
        &["2000 runs"],
    );
    std::fs::write(at.join("sweep.jsonl"), "my only copy").unwrap();
    refused(at, &with(&["--sweep", "lr=0.1"]), &["sweep.jsonl", "not a sweep's file"]);
    assert_eq!(std::fs::read(at.join("sweep.jsonl")).unwrap(), b"my only copy");
    std::fs::remove_file(at.join("sweep.jsonl")).unwrap();
    std::fs::write(at.join("sweep.jsonl.0.part"), "my only copy").unwrap();
    refused(at, &with(&["--sweep", "lr=0.1"]), &["sweep.jsonl.0.part", "--out"]);
    assert_eq!(std::fs::read(at.join("sweep.jsonl.0.part")).unwrap(), b"my only copy");
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_stopped_goes_on_where_each_run_was() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // The first run is short; those after it are under way when the signal comes.
    let args = [
        "sweep",
        "--sweep",
        "train.steps=3,4000",
        "--sweep",
        "model.norm=layer,rms",
        "--seeds",
        "1",
        "--batch",
        "1",
        "--val-batches",
        "1",
        "--device",
        "cpu",
    ];
    let mut child = Command::new(env!("CARGO_BIN_EXE_confab"))
        .args(args)
        .current_dir(at)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.by_ref().find(|line| line.as_ref().unwrap().contains("2 of 4")).unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:?}");
    assert!(rest.last().unwrap().contains("goes on from here"), "{rest:?}");
    let parts = || {
        std::fs::read_dir(at).unwrap().filter(|of| {
            of.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "part")
        })
    };
    assert!(parts().count() > 0, "the runs under way are saved");
    ok(&confab(at, &args));
    assert_eq!(outcomes(at).len(), 4);
    assert_eq!(parts().count(), 0, "a run that has ended needs no file of its own");
}

#[test]
fn an_outcome_has_numbers_that_are_possible() {
    let line = r#"{"link":"a","parameters":1,"seed":1,"steps":2,"seconds":1e60,"train_loss":null,"val_loss":null,"accuracy":null}"#;
    assert!(read::<Trained>(format!("{line}\n").as_bytes()).is_err());
    let line = line.replace("1e60", "1.5");
    let all: Vec<Trained> = read(format!("{line}\n").as_bytes()).unwrap();
    assert_eq!((all[0].link(), all[0].seconds), ("a", Some(1.5)));
}
