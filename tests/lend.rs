//! `confab lend`: a device for a run of another process, which changes no number of it, and trusts nobody.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use confab::checkpoint::Checkpoint;
use confab::learn::devices::Connection;

use common::terminal::{command, ok, refused};
use common::wire::{MAGIC, framed};
use common::{small, untimed_run};

/// A `confab lend` of its own.
struct Lending {
    process: Child,
    address: String,
}

impl Drop for Lending {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Lending {
    fn at(folder: &Path) -> Self {
        let mut lend = command(folder, &["lend", "--listen", "127.0.0.1:0", "--device", "cpu"]);
        let mut process = lend.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("tcp://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.expect(&line).to_owned();
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Ends it, and returns what it said.
    fn end(mut self) -> String {
        self.process.kill().unwrap();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

/// Flags of a run with dropout, a memory, clipping and heads that are added, in four shards a step.
const RUN: &[&str] = &[
    "train",
    "--task",
    "phone",
    "--lines",
    "1",
    "--names",
    "8",
    "--context",
    "96",
    "--batch",
    "8",
    "--val-every",
    "100",
    "--val-batches",
    "1",
    "--shards",
    "4",
    "--dropout",
    "0.1",
    "--clip",
    "0.5",
    "--memory",
    "associative",
    "--memory-layers",
    "1",
    "--memory-slots",
    "64",
    "--head-gates",
    "true",
    "--heads-every",
    "10",
    "--heads-grow-above",
    "0.1",
    "--heads-max",
    "4",
];

fn run_on(folder: &Path, devices: &str, out: &str, more: &[&str]) -> Output {
    let where_to = ["--devices", devices, "--out", out];
    command(folder, &[RUN, more, &where_to].concat()).output().unwrap()
}

/// A run as it was saved, without the time that it took: losses, parameters, moments and slots.
fn saved(folder: &Path, name: &str) -> Checkpoint {
    untimed_run(Checkpoint::from_bytes(&fs::read(folder.join(name)).unwrap()).unwrap())
}

#[test]
fn two_processes_give_the_file_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let lending = Lending::at(at);
    let two = format!("cpu,tcp://{}", lending.address);
    for (devices, out) in [("cpu", "one"), ("cpu,cpu", "threads"), (&two, "two")] {
        let output = run_on(at, devices, out, &["--steps", "30"]);
        ok(&output);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("lost") && !said.contains("fewer shards"), "{said}");
    }
    let alone = [RUN, &["--steps", "30", "--device", "cpu", "--out", "alone"]].concat();
    ok(&command(at, &alone).output().unwrap());
    for out in ["threads", "two", "alone"] {
        assert!(saved(at, out) == saved(at, "one"), "{out} is another run");
    }
    assert!(saved(at, "one").config.model.n_heads > 2, "heads are added");
    // What is resumed on other devices is what would have been.
    let resumed =
        ["train", "--resume", "one", "--steps", "40", "--devices", &two, "--out", "long-two"];
    ok(&command(at, &resumed).output().unwrap());
    let resumed =
        ["train", "--resume", "one", "--steps", "40", "--device", "cpu", "--out", "long-one"];
    ok(&command(at, &resumed).output().unwrap());
    assert!(saved(at, "long-two") == saved(at, "long-one"), "a resumed run is another");
    let said = lending.end();
    assert!(said.contains("borrows CPU") && said.contains("has ended"), "{said}");
}

#[test]
fn a_killed_process_leaves_the_same_numbers_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let steps = ["--steps", "400"];
    ok(&run_on(at, "cpu", "one", &steps));
    let mut lending = Lending::at(at);
    let devices = format!("cpu,tcp://{}", lending.address);
    let args = [RUN, &steps, &["--devices", &devices, "--out", "two"]].concat();
    let mut run = command(at, &args).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(run.stderr.take().unwrap());
    while !said.contains("step 10:") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    lending.process.kill().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(run.wait().unwrap().success(), "{said}");
    let lost = format!("tcp://{} (CPU) is lost to this run: ", lending.address);
    assert_eq!(said.matches(&lost).count(), 1, "{said}");
    assert!(saved(at, "one") == saved(at, "two"), "the run is another");
}

#[test]
fn errors_name_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (devices, says) in [
        ("gpu", "`gpu` names no device"),
        ("cpu,", "`` names no device"),
        ("cpu:1", "as `cuda:1`"),
        ("cuda:x", "as `cuda:1`"),
        ("cpu,tcp://nowhere", "tcp://HOST:PORT"),
        ("cpu,tcp://:1", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:1,cpu", "must be of this machine"),
    ] {
        let output = run_on(at, devices, "run", &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{devices}: {said}");
        assert!(said.contains(says), "{devices}: {said}");
    }
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("cpu,tcp://127.0.0.1:{port}");
    let with = |more: &[&'static str]| [RUN, more].concat();
    refused(
        at,
        &[with(&["--devices"]), vec![&nobody]].concat(),
        &["nobody answers", "start `confab lend --listen 127.0.0.1:"],
    );
    let whole = ["train", "--task", "phone", "--devices", "cpu,cpu", "--shards", "1"];
    refused(at, &whole, &["training on 2 devices", "give --shards 0"]);
    refused(
        at,
        &["lend", "--listen", "nowhere"],
        &["listening on nowhere", "--listen names another"],
    );
    let lending = Lending::at(at);
    refused(at, &["lend", "--listen", &lending.address], &["is it taken"]);
    refused(at, &["lend", "--device", "tcp://127.0.0.1:1"], &["must be of this machine"]);
    assert!(
        !at.join("run").exists() && !at.join("run.safetensors").exists(),
        "nothing was written"
    );
}

/// The greeting of a run on a device of `kind`.
fn hello(version: &str, kind: &str) -> Vec<u8> {
    framed(&postcard::to_allocvec(&(version, kind)).unwrap())
}

/// Sends these bytes, and reads the answer until the connection is closed.
fn answer(lending: &Lending, bytes: &[u8]) -> String {
    let mut stream = lending.connect();
    let _ = stream.write_all(bytes); // it may have closed already
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_lender_takes_nothing_on_trust() {
    let folder = tempfile::tempdir().unwrap();
    let lending = Lending::at(folder.path());
    let version = env!("CARGO_PKG_VERSION");
    let greeted = |messages: &[&[u8]]| [MAGIC, &hello(version, "cpu"), &messages.concat()].concat();
    let config = small(&[]).model;
    let model = |vocab: usize| framed(&postcard::to_allocvec(&(1u32, &config, vocab)).unwrap());
    let order = framed(&[2]);
    let long = u64::MAX.to_le_bytes();
    for (bytes, says) in [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), ""),
        ([MAGIC, &long].concat(), ""),
        ([MAGIC, &framed(&[0xff; 100])].concat(), ""),
        ([MAGIC, &hello("0.0.0", "cpu")].concat(), "version 0.1.0, and the run of 0.0.0"),
        (
            [MAGIC, &hello(version, "cuda\u{1b}")].concat(),
            "of the kind `cpu`, and the run's own of `cuda`",
        ),
        (greeted(&[&order]), "an order came before its model"),
        (greeted(&[&model(0)]), "a vocabulary has 1 to"),
        (greeted(&[&model(usize::MAX)]), "a vocabulary has 1 to"),
        (
            greeted(&[&model(70), &order, &long]),
            "a message of 18446744073709551615 bytes was announced, where at most",
        ),
        (greeted(&[&model(70), &order, &framed(&[7; 500])]), "a message could not be read"),
    ] {
        let got = answer(&lending, &bytes);
        assert!(got.starts_with("confab01") && got.contains(says), "{got:?} lacks {says:?}");
    }
    // The next run is served, and a second beside it is not.
    let (_connection, name) = Connection::open(&lending.address, "cpu").unwrap();
    assert_eq!(name, "CPU");
    let second = Connection::open(&lending.address, "cpu").err().unwrap();
    assert!(second.contains("it is lent to another run"), "{second}");
    let said = lending.end();
    for line in ["it should be a `confab train --devices …`", "is served no more", "borrows CPU"]
    {
        assert!(said.contains(line), "{said} lacks {line}");
    }
    assert!(!said.contains("panicked"), "{said}");
}
