//! Several devices for one run: losses do not hang on who takes the shards, and nothing is taken on trust that another
//! program sends.

mod common;

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use burn::tensor::Device;
use confab::base::parallel::Threads;
use confab::checkpoint::Checkpoint;
use confab::config::RunConfig;
use confab::device;
use confab::learn::devices::{Connection, Devices, Hand};
use confab::learn::{Answer, Helper, Known, Likelihood, Order, Plan, Shard, ShardPass, Trainer};
use confab::run::DeviceChoice;
use confab::task::Split;
use futures::executor::block_on;

use common::terminal::{command, ok, refused};
use common::{Changes, LIMITS, apart, bits, held, losses, small, trainer, trainer_on, webgpu};

/// Settings with all that crosses shards: dropout, a memory that is written, clipping, and heads that are added.
const ALL: Changes = &[
    ("model.dropout", "0.2"),
    ("model.head_gates", "true"),
    ("model.memory.kind", "associative"),
    ("model.memory.layers", "1"),
    ("model.memory.slots", "64"),
    ("train.clip", "0.1"),
    ("train.batch", "11"),
    ("train.shards", "8"),
    ("train.heads.every", "5"),
    ("train.heads.grow_above", "0.1"),
];

/// What a run was told of its devices.
type Told = Rc<RefCell<Vec<String>>>;

/// A hand on a device of this process.
fn hand(device: &Device) -> Hand {
    let device = device.clone();
    Hand::start("another".into(), move || Helper::new(device, Arc::new(Threads::new(1)))).unwrap()
}

/// The run with these other devices, and what it is told of them.
fn with(mut run: Trainer, others: Vec<Hand>) -> (Trainer, Told) {
    let told = Told::default();
    let tell = told.clone();
    let tell = move |text| tell.borrow_mut().push(text);
    run.crew = Rc::new(Devices::new(Arc::new(Threads::new(1)), others, tell));
    (run, told)
}

#[test]
fn two_cpu_devices_give_the_numbers_of_one() {
    let featural: Changes = &[
        ("train.shards", "4"),
        ("model.memory.kind", "featural"),
        ("model.memory.layers", "1"),
        ("train.accumulation", "3"),
    ];
    for changes in [ALL, featural] {
        let one = bits(trainer(small(changes)), 12);
        for others in 0..3 {
            let hands = (0..others).map(|_| hand(&Device::flex())).collect();
            let (run, told) = with(trainer(small(changes)), hands);
            assert!(one == bits(run, 12), "{others} more devices give other numbers: {changes:?}");
            assert!(told.borrow().is_empty(), "{told:?}");
        }
    }
}

/// A GPU by itself takes a batch as a whole. In shards only the order of sums changes, however many devices there are.
#[test]
fn two_gpu_devices_give_the_numbers_of_one() {
    let opened = block_on(device::open_number(DeviceChoice::Webgpu, 0));
    let devices = [webgpu(), opened.expect("the first adapter is there").device];
    let changes: Vec<_> = ALL.iter().copied().chain([("train.shards", "3")]).collect();
    let run = || trainer_on(small(&changes), devices[0].clone());
    let whole = losses(&mut run(), 4);
    let one = bits(with(run(), Vec::new()).0, 4);
    let two = bits(with(run(), vec![hand(&devices[1])]).0, 4);
    assert!(one == two, "two devices give other numbers than one");
    let (mut again, _) = with(run(), vec![hand(&devices[0])]);
    let sharded = losses(&mut again, 4);
    let bits: Vec<u32> = sharded.iter().map(|loss| loss.to_bits()).collect();
    assert_eq!(bits, one.0, "the same adapter twice");
    assert!(held(&again.model().bank) > 0, "the memory is written");
    assert!(apart(&whole, &sharded) < 1e-4, "{whole:?} as a whole, {sharded:?} in shards");
}

#[test]
fn a_step_of_fewer_shards_than_devices_is_told_of_once() {
    let changes = &[("train.shards", "2"), ("train.batch", "2")];
    let hands = (0..2).map(|_| hand(&Device::flex())).collect();
    let (mut run, told) = with(trainer(small(changes)), hands);
    losses(&mut run, 3);
    assert_eq!(run.workers(), 2);
    let told = told.borrow();
    assert!(
        matches!(&told[..], [one] if one.contains("(2)") && one.contains("--shards")),
        "{told:?}"
    );
}

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

/// Flags of a run with dropout, a memory and clipping, in four shards a step.
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
];

fn run_on(folder: &Path, devices: &str, out: &str, more: &[&str]) -> Output {
    let where_to = ["--devices", devices, "--out", out];
    command(folder, &[RUN, more, &where_to].concat()).output().unwrap()
}

/// A run as it was saved: losses, parameters, moments and slots.
fn saved(folder: &Path, name: &str) -> Checkpoint {
    Checkpoint::from_bytes(&fs::read(folder.join(name)).unwrap()).unwrap()
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
    let steps = ["--steps", "600"];
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

const MAGIC: &[u8] = b"confab01";

/// A message as it goes over the wire.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// The greeting of a run on a device of `kind`.
fn hello(version: &str, kind: &str) -> Vec<u8> {
    framed(&postcard::to_allocvec(&(version, kind)).unwrap())
}

/// What is answered to these bytes, until the connection is closed.
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
    let config = small(ALL).model;
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

/// A lender that welcomes a run, and answers its first order with `answer`.
fn impostor(answer: Vec<u8>) -> (Hand, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let welcome = postcard::to_allocvec(&(0u32, "an impostor")).unwrap();
        stream.write_all(&[MAGIC, &framed(&welcome)].concat()).unwrap();
        stream.read_exact(&mut [0; 64]).unwrap(); // a greeting, and more
        stream.write_all(&answer).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (connection, name) = Connection::open(&address, "cpu").unwrap();
    (Hand::start(name, move || connection).unwrap(), serve)
}

#[test]
fn an_impostor_changes_nothing_and_is_told_of() {
    let one = bits(trainer(small(ALL)), 6);
    let (answers, refused) =
        (framed(&[3]), framed(&postcard::to_allocvec(&(1u32, "no\u{7}!")).unwrap()));
    for (answer, says) in [
        ([&answers[..], &framed(&[0])].concat(), "its answer is not of the shape"),
        ([&answers[..], &framed(&[0xff; 40])].concat(), "could not be read"),
        ([&answers[..], &[0xff; 8]].concat(), "was announced, where at most"),
        (refused, "it refused (no!)"),
        (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "was announced, where at most"),
    ] {
        let (hand, serve) = impostor(answer);
        let (run, told) = with(trainer(small(ALL)), vec![hand]);
        assert!(one == bits(run, 6), "other numbers");
        let told = told.borrow();
        assert!(matches!(&told[..], [one] if one.contains(says)), "{told:?} lacks {says}");
        serve.join().unwrap();
    }
}

/// Shards of a run's next step, whose memory has slots.
fn shards(run: &Trainer) -> Vec<Shard> {
    let batch = run.draw(Split::Train, 3, &run.device().autodiff());
    let dropout = confab::kernel::dropout::Dropout::new(0.2, 5);
    batch
        .shards(2)
        .map(|(row, batch)| Shard { micro: 0, batch, dropout: dropout.from_row(row) })
        .collect()
}

/// Each changed copy of `bytes`: one byte is another, or is left out.
fn damaged(bytes: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let places = common::numbers(2 * count, 3).into_iter().map(|x| (x + 1.0) / 2.0);
    let places: Vec<f32> = places.collect();
    (0..count).map(move |index| {
        // Half of the changes are to the beginning, where lengths and settings are.
        let room = if index % 2 == 0 { bytes.len() } else { bytes.len().min(200) };
        let at = ((places[2 * index] * room as f32) as usize).min(bytes.len() - 1);
        let mut bytes = bytes.to_vec();
        match index % 5 {
            0 => drop(bytes.remove(at)),
            _ => bytes[at] = (places[2 * index + 1] * 256.0) as u8,
        }
        bytes
    })
}

#[test]
fn damaged_orders_and_answers_are_refused_or_harmless() {
    let mut run = trainer(small(ALL));
    losses(&mut run, 4);
    assert!(held(&run.model().bank) > 0);
    let RunConfig { model: config, .. } = run.config.clone();
    let plan = Plan::new(config, run.tokenizer.vocab_size(), LIMITS).unwrap();
    let objective = Likelihood::default();
    let pass =
        ShardPass { model: run.model(), objective: &objective, is_frozen: false, share: 1.0 };
    let shards = shards(&run);
    let order = Known::default().order(&pass, &shards).unwrap();
    let sent = postcard::to_allocvec(&order).unwrap();
    assert!((sent.len() as u64) < plan.longest_order());
    let mut helper = Helper::default();
    helper.check(&order, &plan).unwrap();
    let (count, tokens) = order.size();
    let given = helper.take(order).unwrap();
    given.check(&pass, &shards).unwrap();
    let answer = postcard::to_allocvec(&given).unwrap();
    assert!((answer.len() as u64) < plan.longest_answer(count, tokens));
    let (mut refused, mut taken) = (0, 0);
    for bytes in damaged(&sent, 400) {
        let Ok(order) = postcard::from_bytes::<Order>(&bytes) else {
            refused += 1;
            continue;
        };
        let mut helper = Helper::default();
        match helper.check(&order, &plan).and_then(|()| helper.take(order)) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 && taken > 50, "{refused} refused, {taken} taken");
    let (mut refused, mut taken) = (0, 0);
    for bytes in damaged(&answer, 400) {
        let answer = postcard::from_bytes::<Answer>(&bytes).map_err(|error| error.to_string());
        let checked = answer.and_then(|answer| {
            answer.check(&pass, &shards)?;
            Ok(answer.of(&pass, &shards).is_some())
        });
        match checked {
            Ok(is_of) => taken += usize::from(is_of),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 && taken > 50, "{refused} refused, {taken} taken");
}
