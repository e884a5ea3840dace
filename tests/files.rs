//! Files of the user at the terminal: read with an end, written without harm, and shapes that disagree.
#![cfg(unix)]

mod common;

use std::fs;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::terminal::{TINY, command, ok, refused, train};
use confab::checkpoint::Checkpoint;
use confab::config::MAX_LONG_TEXT_BYTES;

/// Longest that a command may take that is refused.
const SOON: Duration = Duration::from_secs(20);
const SWEEP: &[&str] =
    &["sweep", "--facts", "10", "--preset", "1.7k", "--seeds", "1", "--steps", "2", "--batch", "4"];

/// Runs a command that may not hang.
fn confab(at: &Path, args: &[&str]) -> Output {
    let mut child = command(at, args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > SOON {
            child.kill().unwrap();
            panic!("{args:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// The arguments of a small run.
fn tiny<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train"], TINY, more].concat()
}

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SWEEP, &["--val-batches", "1", "--device", "cpu"], more].concat()
}

fn load(file: &Path) -> Checkpoint {
    Checkpoint::from_bytes(&fs::read(file).unwrap()).unwrap()
}

fn names(at: &Path) -> Vec<String> {
    let names = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn make_pipe(file: &Path) {
    assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
}

#[test]
fn only_regular_files_are_read_and_only_so_much_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1", "--out", "run.st", "--memory", "featural"]));
    make_pipe(&at.join("pipe"));
    fs::create_dir(at.join("folder")).unwrap();
    let large =
        |name: &str, bytes: u64| File::create(at.join(name)).unwrap().set_len(bytes).unwrap();
    large("large.st", 17 << 30);
    large("large.txt", MAX_LONG_TEXT_BYTES + 1);
    for (file, is) in [
        ("/dev/zero", "a character device"),
        ("pipe", "a pipe"),
        ("folder", "a folder"),
        ("large.st", "18253611008 bytes long"),
    ] {
        let says = [file, is, "regular file of at most"];
        for args in [
            &["sample", file][..],
            &["edit", file],
            &["memory", "ls", file],
            &["distill", file, "--memory", "0:featural", "--out", "x"],
            &["train", "--resume", file, "--out", "x"],
            &["train", "--from", file, "--out", "x"],
            &["train", "--task", "text", "--text-file", file, "--out", "x"],
            &["memory", "swap", "run.st", "--with", file, "--out", "x"],
            &["inspect", "run.st", "--what", "ov", "--compare-with", file],
            &["edit", "run.st", "--rewind", "0", "--past", file, "-o", "x"],
            &sweep(&["--out", file]),
        ] {
            refused(at, args, &says);
        }
    }
    refused(at, &["import", "pipe", "--out", "x"], &["pipe", "regular file"]);
    refused(
        at,
        &["data", "--task", "text", "--text-file", "large.txt"],
        &["large.txt", "bytes long"],
    );
    assert!(!at.join("x").exists());
}

#[test]
fn what_is_written_leaves_links_modes_and_pipes_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = ["--steps", "1", "--memory", "featural"];
    let export = |out: &str| confab(at, &["memory", "export", "run.st", "--out", out]);
    ok(&train(at, &[&run[..], &["--out", "run.st"]].concat()));

    fs::create_dir(at.join("other")).unwrap();
    for (link, target) in [("run.link", "other/run.st"), ("plot.link", "other/plot.svg")] {
        symlink(target, at.join(link)).unwrap();
    }
    // Whether what they lead to is there or not.
    for _ in 0..2 {
        ok(&train(at, &[&run[..], &["--out", "run.link", "--plot", "plot.link"]].concat()));
        for link in ["run.link", "plot.link"] {
            assert!(at.join(link).symlink_metadata().unwrap().is_symlink(), "{link}");
        }
        load(&at.join("other/run.st"));
        assert!(fs::read(at.join("other/plot.svg")).unwrap().starts_with(b"<svg"));
    }
    assert_eq!(names(&at.join("other")), ["plot.svg", "run.st"]);

    fs::write(at.join("one"), "a longer text than what will be written".repeat(1000)).unwrap();
    fs::hard_link(at.join("one"), at.join("two")).unwrap();
    ok(&export("one"));
    let lines = fs::read_to_string(at.join("one")).unwrap();
    assert!(lines.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{lines}");
    assert_eq!(fs::read_to_string(at.join("two")).unwrap(), lines);
    assert_eq!(at.join("one").metadata().unwrap().nlink(), 2);
    let both = tiny(&["--out", "a.st", "--plot", "one", "--log", "two"]);
    refused(at, &both, &["--log two and --plot one are one file"]);
    for args in [
        &["inspect", "run.st", "--what", "ov", "--svg", "./run.st"][..],
        &["inspect", "run.st", "--what", "ov", "--svg", "new", "--png", "new"],
        &["memory", "export", "run.st", "--out", "run.st"],
        &["import", "run.st", "--out", "run.st"],
        &["train", "--task", "text", "--text-file", "one", "--out", "two"],
    ] {
        refused(at, args, &["are one file"]);
    }

    fs::set_permissions(at.join("run.st"), fs::Permissions::from_mode(0o600)).unwrap();
    ok(&confab(at, &["memory", "rm", "run.st", "--all"]));
    assert_eq!(at.join("run.st").metadata().unwrap().mode() & 0o777, 0o600);

    make_pipe(&at.join("pipe"));
    for args in [
        &["memory", "export", "run.st", "--out", "pipe"][..],
        &["memory", "rm", "run.st", "--all", "--out", "pipe"],
        &["edit", "run.st", "--add-layer", "0", "-o", "pipe"],
        &["inspect", "run.st", "--what", "ov", "--svg", "pipe"],
        &["inspect", "run.st", "--what", "ov", "--png", "pipe"],
        &["distill", "run.st", "--memory", "0:featural", "--out", "pipe"],
        &["import", "run.st", "--out", "pipe"],
        &tiny(&["--out", "pipe"]),
        &tiny(&["--out", "a.st", "--log", "pipe"]),
        &tiny(&["--out", "a.st", "--plot", "pipe"]),
        &sweep(&["--out", "a.jsonl", "--plot", "pipe"]),
    ] {
        refused(at, args, &["writing pipe", "a pipe"]);
    }
    assert!(at.join("pipe").symlink_metadata().unwrap().file_type().is_fifo());
    assert!(!at.join("a.st").exists() && !at.join("a.jsonl").exists());
    if cfg!(target_os = "linux") {
        ok(&train(at, &[&run[..], &["--out", "run.st"]].concat()));
        let lines = ok(&export("lines"));
        assert_eq!(lines, "");
        let piped = ["memory", "export", "run.st", "--out", "/proc/self/fd/1"];
        let piped = ok(&common::terminal::confab(at, &piped));
        assert_eq!(piped, fs::read_to_string(at.join("lines")).unwrap());
    }
}

#[test]
fn a_name_that_cannot_be_written_is_found_out_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1", "--out", "run.st"]));
    fs::write(at.join("file"), "").unwrap();
    let long = "n".repeat(256);
    let before = names(at);
    for name in [&*long, "newname/", "absent/file", "file/file", "."] {
        for args in [
            &tiny(&["--out", name])[..],
            &tiny(&["--out", "a.st", "--log", name]),
            &tiny(&["--out", "a.st", "--plot", name]),
            &sweep(&["--out", "a.jsonl", "--plot", name]),
            &["edit", "run.st", "--add-layer", "0", "-o", name],
            &["memory", "export", "run.st", "--out", name],
            &["distill", "run.st", "--memory", "0:featural", "--out", name],
            &["inspect", "run.st", "--what", "ov", "--png", name],
        ] {
            refused(at, args, &[name]);
        }
    }
    for folder in [&*long, "file", "file/kept"] {
        refused(
            at,
            &tiny(&["--out", "a.st", "--keep-steps", folder]),
            &["making the folder", folder],
        );
    }
    // A run that is refused later leaves nothing either.
    let given =
        ["--out", "a.st", "--log", "a.jsonl", "--plot", "a.svg", "--keep-steps", "kept/all"];
    refused(at, &tiny(&[&given[..], &["--d-model", "5", "--n-heads", "2"]].concat()), &["Heads"]);
    assert_eq!(names(at), before);
}

#[test]
fn a_log_is_opened_by_a_run_that_is_accepted_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "2", "--out", "run.st", "--log", "log"]));
    let run = fs::read(at.join("run.st")).unwrap();
    let resume = |more: &[&'static str]| {
        [&["train", "--resume", "run.st", "--steps", "10", "--device", "cpu"], more].concat()
    };
    for flag in ["--log", "--plot"] {
        refused(at, &resume(&[flag, "run.st"]), &["--resume run.st", flag, "are one file"]);
        refused(at, &resume(&["--out", "run.st", flag, "./run.st"]), &["--out run.st", flag]);
        refused(at, &resume(&["--out", "new.st", flag, "new.st"]), &["--out new.st", flag]);
    }
    assert_eq!(fs::read(at.join("run.st")).unwrap(), run);
    let first = fs::read_to_string(at.join("log")).unwrap();
    let refused_device = ["train", "--resume", "run.st", "--steps", "9", "--log", "log"];
    refused(at, &[&refused_device[..], &["--device", "cuda"]].concat(), &["cuda"]);
    refused(at, &tiny(&["--log", "log", "--d-model", "5", "--n-heads", "2"]), &["Heads"]);
    assert_eq!(fs::read_to_string(at.join("log")).unwrap(), first);

    // As of a program that was killed.
    fs::write(at.join("log"), first.trim_end()).unwrap();
    ok(&confab(at, &resume(&["--out", "on.st", "--log", "log"])));
    let log = fs::read_to_string(at.join("log")).unwrap();
    assert!(log.starts_with(&first), "{log}");
    let steps = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let steps: Vec<u64> = steps.map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 5, 10]);

    fs::write(at.join("notes"), "my only copy").unwrap();
    refused(at, &tiny(&["--log", "notes"]), &["notes", "something else than a log"]);
    refused(at, &resume(&["--out", "on.st", "--log", "notes"]), &["notes"]);
    assert_eq!(fs::read_to_string(at.join("notes")).unwrap(), "my only copy");

    let held = File::open(at.join("log")).unwrap();
    held.lock().unwrap();
    refused(at, &tiny(&["--out", "a.st", "--log", "log"]), &["log", "another program"]);
    assert_eq!(fs::read_to_string(at.join("log")).unwrap(), log);
    drop(held);
    ok(&train(at, &["--steps", "1", "--out", "a.st", "--log", "log"]));
    assert_eq!(fs::read_to_string(at.join("log")).unwrap().lines().count(), 1);
}

#[test]
fn a_sweep_writes_over_nothing_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for text in ["my only copy", "my only copy\n", "{\"link\": 1}\n"] {
        fs::write(at.join("notes.txt"), text).unwrap();
        refused(at, &sweep(&["--out", "notes.txt"]), &["notes.txt", "not a sweep's file"]);
        assert_eq!(fs::read_to_string(at.join("notes.txt")).unwrap(), text);
    }
    fs::write(at.join("fig.svg"), "<svg>my drawing</svg>").unwrap();
    for out in ["s.svg", "fig.jsonl"] {
        // The second time, the curves are known to be a sweep's.
        for _ in 0..2 {
            ok(&confab(at, &sweep(&["--out", out])));
            let outcomes = fs::read_to_string(at.join(out)).unwrap();
            assert!(
                outcomes.starts_with("{\"link\"") && outcomes.lines().count() == 1,
                "{outcomes}"
            );
        }
    }
    assert_eq!(fs::read_to_string(at.join("fig.svg")).unwrap(), "<svg>my drawing</svg>");
    let curves = ["fig-2.svg", "fig.jsonl", "fig.svg", "notes.txt", "s-2.svg", "s.svg"];
    assert_eq!(names(at), curves);
    for plot in ["fig.jsonl", "fig.jsonl.part"] {
        refused(at, &sweep(&["--out", "fig.jsonl", "--plot", plot]), &["--plot", "are one file"]);
    }
    fs::write(at.join("new.jsonl.part"), "mine").unwrap();
    refused(at, &sweep(&["--out", "new.jsonl"]), &["new.jsonl.part", "another --out"]);
    assert_eq!(fs::read_to_string(at.join("new.jsonl.part")).unwrap(), "mine");

    let held = File::open(at.join("fig.jsonl")).unwrap();
    held.lock().unwrap();
    refused(at, &sweep(&["--out", "fig.jsonl"]), &["fig.jsonl", "another program"]);
}

#[test]
fn a_default_name_is_left_to_the_run_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1"]));
    let first = fs::read(at.join("run.safetensors")).unwrap();
    for (number, from) in [(2, None), (3, Some("run.safetensors"))] {
        let from = from.map_or(vec![], |from| vec!["--from", from]);
        let other = train(at, &[&["--steps", "2"][..], &from].concat());
        ok(&other);
        let told = String::from_utf8_lossy(&other.stderr).into_owned();
        let name = format!("run-{number}.safetensors");
        assert!(told.contains(&format!("this one is saved to {name}")), "{told}");
        assert_eq!(load(&at.join(name)).step, 2);
    }
    assert_eq!(fs::read(at.join("run.safetensors")).unwrap(), first);
    // It is the run's own.
    let resume = ["train", "--resume", "run.safetensors", "--steps", "3", "--device", "cpu"];
    ok(&confab(at, &resume));
    assert_eq!(load(&at.join("run.safetensors")).step, 3);
    assert_eq!(names(at).len(), 3);
}

#[test]
fn kept_steps_are_of_one_run_and_say_that_they_lack_moments() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "2", "--out", "run.st", "--keep-steps", "kept"]));
    refused(at, &tiny(&["--out", "a.st", "--keep-steps", "kept"]), &["kept", "another run"]);
    let resume = |file: &str| {
        let args = ["train", "--resume", file, "--steps", "4", "--device", "cpu", "--out", "on.st"];
        let output = confab(at, &args);
        ok(&output);
        String::from_utf8(output.stderr).unwrap().contains("no moments")
    };
    assert!(resume("kept/step1.safetensors"));
    assert!(!resume("run.st"));
}

#[test]
fn shapes_that_disagree_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let keys = ["--memory", "product-key", "--memory-slots", "25", "--memory-top-k", "2"];
    ok(&train(at, &[&["--steps", "1", "--out", "keys.st"], &keys[..]].concat()));
    let from = |more: &[&'static str]| {
        let args = ["train", "--from", "keys.st", "--steps", "1", "--device", "cpu", "--out", "x"];
        [&args[..], more].concat()
    };
    for more in [&["--memory-slots", "100"][..], &["--memory-slots", "16", "--frozen", "true"]] {
        refused(at, &from(more), &["keys.st", "memory.K_first", "model.memory.slots"]);
    }
    ok(&confab(at, &from(&["--memory-slots", "25", "--memory-top-k", "3"])));
    assert_eq!(load(&at.join("x")).config.model.memory.top_k, 3);

    // As many numbers, in other shapes: a character more, and a place less.
    for (name, text, context) in [("a", "a cat sat. ", "64"), ("b", "a cat sat! ", "63")] {
        let text = text.repeat(30) + if name == "b" { "." } else { "" };
        fs::write(at.join(format!("{name}.txt")), text).unwrap();
        let (file, out) = (format!("{name}.txt"), format!("{name}.st"));
        let task = ["--task", "text", "--text-file", &file, "--context", context, "--batch", "4"];
        let model = ["--n-layers", "1", "--n-heads", "2", "--d-model", "4", "--tied-head", "true"];
        let run = ["--steps", "1", "--device", "cpu", "--keep-steps", name, "--out", &out];
        ok(&confab(at, &[&["train"], &task[..], &model, &run].concat()));
    }
    let [a, b] = ["a.st", "b.st"].map(|file| load(&at.join(file)).parameters.len());
    assert_eq!(a, b);
    let rewind = |past| confab(at, &["edit", "a.st", "--rewind", "0", "--past", past, "-o", "y"]);
    ok(&rewind("a/step0.safetensors"));
    let other = ["edit", "a.st", "--rewind", "0", "--past", "b/step0.safetensors", "-o", "y"];
    refused(at, &other, &["no weights of step 0"]);
}

#[test]
fn what_could_not_be_read_again_takes_no_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1", "--out", "run.st"]));
    let mut extreme = load(&at.join("run.st"));
    let values = extreme.parameters.iter_mut().zip([3e38, -3e38].into_iter().cycle());
    values.for_each(|(value, extreme)| *value = extreme);
    fs::write(at.join("extreme.st"), extreme.to_bytes().unwrap()).unwrap();
    fs::write(at.join("grown.st"), "the old one").unwrap();
    let grow = ["edit", "extreme.st", "--grow-heads", "3", "-o", "grown.st"];
    refused(at, &grow, &["extreme.st", "larger than any number"]);
    assert_eq!(fs::read_to_string(at.join("grown.st")).unwrap(), "the old one");

    extreme.parameters.pop();
    assert!(extreme.to_bytes().is_err());
}

#[test]
fn a_full_output_is_an_error_that_names_it_and_a_closed_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    ok(&train(at, &["--steps", "1", "--out", "run.st", "--memory", "featural"]));
    ok(&train(at, &["--steps", "1", "--out", "plain.st"]));
    let device = ["--device", "cpu"];
    let commands: [&[&str]; 10] = [
        &["distill", "plain.st", "--memory", "0:featural", "--steps", "1", "--out", "d.st"],
        &["sample", "run.st", "--max-chars", "4"],
        &["inspect", "run.st", "--what", "ov"],
        &["inspect", "run.st", "--by-type", "1"],
        &["memory", "ls", "run.st"],
        &["memory", "export", "run.st"],
        &["eval", "run.st", "--records", "1"],
        &["probe", "run.st", "--samples", "1"],
        &["edit", "run.st"],
        &["data"],
    ];
    for args in commands {
        let takes_device = !["edit", "data"].contains(&args[0]);
        let args = [args, if takes_device { &device[..] } else { &[] }].concat();
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(at, &args).stdout(closed).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("panicked"), "{args:?}: {errors}");
        if Path::new("/dev/full").exists() {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let output = command(at, &args).stdout(full).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
            assert!(errors.contains("writing to standard output: "), "{args:?}: {errors}");
            assert!(!errors.contains("panicked"), "{args:?}: {errors}");
        }
    }
    load(&at.join("d.st"));
}

#[test]
fn signals_save_as_ctrl_c_does() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for signal in ["-TERM", "-HUP"] {
        let mut child = command(at, &tiny(&["--steps", "1000000", "--out", "kept.st"]))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.by_ref().find(|line| line.as_ref().unwrap().starts_with("step 5:")).unwrap().unwrap();
        // Twice, as `timeout` and a terminal that is closed send it.
        for _ in 0..2 {
            let id = child.id().to_string();
            assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        }
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert!(child.wait().unwrap().success(), "{signal}: {rest:?}");
        assert!(rest.last().unwrap().contains("kept.st"), "{rest:?}");
        assert!(load(&at.join("kept.st")).step >= 5);
        fs::remove_file(at.join("kept.st")).unwrap();
    }
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let ignoring = ["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_confab")];
    let mut child = Command::new("sh")
        .args(ignoring)
        .args(tiny(&["--steps", "1000000", "--out", "kept.st"]))
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let id = child.id().to_string();
    for (signal, from) in [("-HUP", "step 5:"), ("-TERM", "step 50:")] {
        let told = lines.by_ref().find(|line| line.as_ref().unwrap().starts_with(from));
        told.expect("the run goes on").unwrap();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}

#[test]
fn a_save_removes_what_killed_programs_left() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in [".confab-aB3dE6.tmp", ".confab-Zy9xW8.tmp", ".confab-my notes.tmp", ".tmpAbCdEf"] {
        fs::write(at.join(name), "half of a file").unwrap();
    }
    // Another program is at work on it.
    let held = File::open(at.join(".confab-Zy9xW8.tmp")).unwrap();
    held.lock().unwrap();
    ok(&train(at, &["--steps", "1", "--out", "run.st"]));
    let left = [".confab-Zy9xW8.tmp", ".confab-my notes.tmp", ".tmpAbCdEf", "run.st"];
    assert_eq!(names(at), left);
}
