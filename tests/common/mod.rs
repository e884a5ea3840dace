//! Helpers of several test files: devices, runs, forward passes and comparisons.
#![allow(dead_code, reason = "each test file is a crate of its own, and takes a part of this")]

pub mod crew;
pub mod slots;
pub mod terminal;
pub mod wire;

use std::rc::Rc;

use burn::tensor::{Device, Int, Tensor};
use confab::arch::Layout;
use confab::base::parallel::Threads;
use confab::checkpoint::Checkpoint;
use confab::config::{Knob, MemoryLimits, ModelConfig, RunConfig};
use confab::data::{Batch, Targets};
use confab::device;
use confab::kernel::dropout::Dropout;
use confab::kernel::recall::Mirrors;
use confab::kernel::transfer::{floats, to_device, to_tensor};
use confab::learn::{Crew, Trainer, feedback};
use confab::memory::Bank;
use confab::model::{Model, Output, PassOptions};
use confab::run::{DeviceChoice, LossPoint};
use futures::executor::block_on;

/// Settings with all that crosses rows: dropout, a memory that is written, clipping, and heads that are added.
pub const CROSSING: Changes = &[
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

/// Limits of a device that holds everything.
pub const LIMITS: MemoryLimits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };

/// Knobs by their keys, and what they are set to.
pub type Changes<'a> = &'a [(&'a str, &'a str)];

/// A GPU; on a machine without one, a software driver.
pub fn webgpu() -> Device {
    let opened = block_on(device::open(DeviceChoice::Webgpu));
    opened.expect("`./dev test` installs a software driver where there is no GPU").0.device
}

/// Losses without the time that they took, which differs from run to run.
pub fn untimed(losses: &[LossPoint]) -> Vec<LossPoint> {
    losses.iter().map(|point| LossPoint { seconds: None, ..*point }).collect()
}

/// A run without the time that its losses took.
pub fn untimed_run(of: Checkpoint) -> Checkpoint {
    Checkpoint { history: untimed(&of.history), ..of }
}

pub fn set(config: &mut RunConfig, changes: Changes) {
    for (key, value) in changes {
        Knob::find(key).unwrap().set(config, value).unwrap();
    }
}

/// A run of a small model on short records of the phone task.
pub fn small(changes: Changes) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.task.phone.names = 8;
    config.model.d_model = 8;
    config.model.context = 96;
    config.train.batch = 4;
    config.train.warmup = 1;
    set(&mut config, changes);
    config
}

pub fn trainer(config: RunConfig) -> Trainer {
    trainer_on(config, Device::flex())
}

pub fn trainer_on(config: RunConfig, device: Device) -> Trainer {
    Trainer::new(config, device, &LIMITS).unwrap()
}

pub fn resume(checkpoint: Checkpoint) -> Trainer {
    Trainer::resume(checkpoint, Device::flex(), &LIMITS).unwrap()
}

/// Threads that train what sessions do.
pub fn crew() -> Rc<dyn Crew> {
    Rc::new(Threads::shared())
}

/// Trains so many steps, and returns the loss of each.
pub fn losses(trainer: &mut Trainer, steps: usize) -> Vec<f32> {
    (0..steps).map(|_| block_on(trainer.step()).unwrap().loss.train_loss).collect()
}

pub fn checkpoint(trainer: &Trainer) -> Checkpoint {
    block_on(trainer.checkpoint()).unwrap()
}

/// The losses of `steps` steps and the parameters after them, to the bit.
pub fn bits(mut run: Trainer, steps: usize) -> (Vec<u32>, Vec<u32>) {
    let losses = losses(&mut run, steps).iter().map(|loss| loss.to_bits()).collect();
    let parameters = checkpoint(&run).parameters.iter().map(|value| value.to_bits()).collect();
    (losses, parameters)
}

/// Slots in all memories.
pub fn held(bank: &Bank) -> usize {
    bank.memories().map(|(_, memory)| memory.store.ids().len()).sum()
}

/// A model with empty memories on a device.
///
/// # Shapes
/// `flat`: `[layout.len()]`
pub fn model(config: &ModelConfig, layout: &Layout, flat: &[f32], device: &Device) -> Model {
    Model {
        config: config.clone(),
        layout: layout.clone(),
        parameters: to_device(flat.to_vec(), device),
        bank: Bank::new(config),
        mirrors: Mirrors::default(),
    }
}

/// Tokens to read, after which nothing is to be predicted.
///
/// # Shapes
/// `tokens`: `[batch, seq]`
pub fn batch(tokens: Tensor<2, Int>) -> Batch {
    Batch {
        targets: Targets::Classes(tokens.zeros_like()),
        weights: Tensor::zeros(tokens.dims(), &tokens.device()),
        forgotten: None,
        counted: 0,
        whole: 0,
        fields: Vec::new(),
        ids: Vec::new(),
        few: None,
        inputs: tokens.into(),
    }
}

/// The output of a model, with what it feeds back and without what is forgotten.
pub fn forward(model: &Model, batch: &Batch) -> Output {
    let feedback = feedback(model, batch, Dropout::NONE);
    let forgotten = batch.forgotten.clone();
    let options = PassOptions { forgotten, feedback, ..PassOptions::default() };
    model.gpt().forward(batch.inputs.clone(), &options)
}

/// The logits of one row of tokens: `[seq, vocab]`.
pub fn logits_of(model: &Model, ids: &[u32]) -> Vec<f32> {
    read(forward(model, &batch(to_tensor(ids, &model.device()))).logits)
}

pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    floats(tensor.into_data())
}

/// Numbers that look random, the same for the same `seed`: of mean 0 and variance 1/3, between -1 and 1.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The largest difference; NaN if one is.
#[track_caller]
pub fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, far| if far.is_nan() || far > most { far } else { most })
}

/// The difference must be less than `within` of what is expected, in norm; of less than `least`, of that.
#[track_caller]
pub fn close(got: &[f32], expected: &[f32], (within, least): (f32, f32), what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let norm = |v: Vec<f32>| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let difference = norm(got.iter().zip(expected).map(|(a, b)| a - b).collect());
    let size = norm(expected.to_vec());
    assert!(difference < within * size.max(least), "{what}: {difference} of {size}");
}
