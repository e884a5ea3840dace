//! Several devices for one run, in one process: losses do not hang on who takes the shards, and orders and answers that are
//! damaged change nothing.

mod common;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use burn::tensor::Device;
use confab::base::parallel::Threads;
use confab::config::RunConfig;
use confab::device;
use confab::kernel::dropout::Dropout;
use confab::learn::devices::{Connection, Devices, Hand};
use confab::learn::{Answer, Helper, Known, Likelihood, Order, Plan, Shard, ShardPass, Trainer};
use confab::run::DeviceChoice;
use confab::task::Split;
use futures::executor::block_on;

use common::wire::{MAGIC, framed};
use common::{
    CROSSING, Changes, LIMITS, apart, bits, held, losses, numbers, small, trainer, trainer_on,
    webgpu,
};

/// Messages to a run about its devices.
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
    for changes in [CROSSING, featural] {
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
    let changes: Vec<_> = CROSSING.iter().copied().chain([("train.shards", "3")]).collect();
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
    let one = bits(trainer(small(CROSSING)), 6);
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
        let (run, told) = with(trainer(small(CROSSING)), vec![hand]);
        assert!(one == bits(run, 6), "other numbers");
        let told = told.borrow();
        assert!(matches!(&told[..], [one] if one.contains(says)), "{told:?} lacks {says}");
        serve.join().unwrap();
    }
}

/// Shards of a run's next step, whose memory has slots.
fn shards(run: &Trainer) -> Vec<Shard> {
    let batch = run.draw(Split::Train, 3, &run.device().autodiff());
    let dropout = Dropout::new(0.2, 5);
    batch
        .shards(2)
        .map(|(row, batch)| Shard { micro: 0, batch, dropout: dropout.from_row(row) })
        .collect()
}

/// Each changed copy of `bytes`: one byte is another, or is left out.
fn damaged(bytes: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let places = numbers(2 * count, 3).into_iter().map(|x| (x + 1.0) / 2.0);
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
    let mut run = trainer(small(CROSSING));
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
