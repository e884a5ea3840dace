//! Checkpoints of earlier versions go on as they did then: `tests/checkpoints/make.py` had a binary of that
//! time write them, and what it made of them itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use burn::tensor::Device;
use confab::checkpoint::{Checkpoint, LENGTH_BYTES, Summary};
use confab::config::MemoryLimits;
use confab::generate::Sampler;
use confab::learn::Trainer;
use confab::protocol::SampleOptions;
use confab::run::LossPoint;
use futures::executor::block_on;
use serde::Deserialize;

/// Folders of `tests/checkpoints/`.
const VERSIONS: &[&str] = &["v1"];
const LIMITS: MemoryLimits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
/// Largest difference of losses from those of another build, in nats per character.
const TOLERANCE: f32 = 1e-5;
/// Largest difference of the cost of a single character, in nats.
const COST_TOLERANCE: f32 = 1e-4;

/// Results of a checkpoint from the binary that wrote it.
#[derive(Deserialize)]
struct Expected {
    covers: String,
    prompt: String,
    max_chars: usize,
    /// A greedy sample, with its prompt.
    text: String,
    /// Cost of each of its characters, in nats.
    costs: Vec<f32>,
    /// Losses of the next steps; empty for a model that brought nothing to train on.
    losses: Vec<LossPoint>,
}

/// A checkpoint of an earlier version.
struct Kept {
    file: PathBuf,
    bytes: Vec<u8>,
    expected: Expected,
}

impl Kept {
    fn open(&self) -> Result<Checkpoint, String> {
        Checkpoint::from_bytes(&self.bytes).map_err(|error| error.to_string())
    }

    fn resume(&self, checkpoint: Checkpoint) -> Result<Trainer, String> {
        Trainer::resume(checkpoint, Device::flex(), &LIMITS).map_err(|error| error.to_string())
    }
}

fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints").join(version)
}

fn kept() -> Vec<Kept> {
    let mut all = Vec::new();
    for version in VERSIONS {
        let text = fs::read_to_string(folder(version).join("expected.json")).unwrap();
        let expected: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
        for (name, expected) in expected {
            let file = folder(version).join(format!("{name}.safetensors"));
            let bytes = fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            all.push(Kept { file, bytes, expected });
        }
    }
    all
}

/// Fails with the name of every checkpoint of which `check` tells what is wrong.
fn each(check: impl Fn(&Kept) -> Result<(), String>) {
    let failed: Vec<String> = kept()
        .iter()
        .filter_map(|kept| {
            let why = check(kept).err()?;
            Some(format!("{} ({}): {why}", kept.file.display(), kept.expected.covers))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn of_every_checkpoint_it_is_known_what_is_expected() {
    let mut known: Vec<PathBuf> = kept().into_iter().map(|kept| kept.file).collect();
    let mut there: Vec<PathBuf> = VERSIONS
        .iter()
        .flat_map(|version| fs::read_dir(folder(version)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == "safetensors"))
        .collect();
    known.sort();
    there.sort();
    assert_eq!(known, there);
}

#[test]
fn a_checkpoint_that_is_written_again_is_the_same() {
    each(|kept| {
        let checkpoint = kept.open()?;
        let bytes = checkpoint.to_bytes().map_err(|error| error.to_string())?;
        let again = Checkpoint::from_bytes(&bytes).map_err(|error| error.to_string())?;
        match again == checkpoint {
            true => Ok(()),
            false => Err("it is another one when written again".into()),
        }
    });
}

#[test]
fn the_beginning_of_a_file_tells_its_settings_step_and_losses() {
    each(|kept| {
        let (start, rest) = kept.bytes.split_first_chunk::<LENGTH_BYTES>().ok_or("it is empty")?;
        let length = Summary::header_len(*start).ok_or("its header is too long")?;
        let header = &rest[..length];
        let Summary { config, step, history } =
            Summary::from_header(header).map_err(|error| error.to_string())?;
        let whole = kept.open()?;
        if (&config, step, &history) != (&whole.config, whole.step, &whole.history) {
            return Err("its beginning tells of another run".into());
        }
        // Spaces may follow.
        let end = header.trim_ascii_end().len();
        for cut in [0, 1, end / 2, end - 1] {
            if Summary::from_header(&header[..cut]).is_ok() {
                return Err(format!("{cut} bytes of its header are taken for all of it"));
            }
        }
        Ok(())
    });
    assert_eq!(Summary::header_len([255; LENGTH_BYTES]), None);
}

#[test]
fn greedy_samples_are_those_of_the_version_that_wrote_it() {
    each(|kept| {
        let Expected { prompt, max_chars, text, costs, .. } = &kept.expected;
        let trainer = kept.resume(kept.open()?)?;
        let options = SampleOptions {
            prompt: prompt.clone(),
            temperature: 0.0,
            max_chars: *max_chars,
            ..SampleOptions::default()
        };
        let mut sampler = Sampler::new(trainer.model(), &trainer.tokenizer, &trainer.task, options)
            .map_err(|error| error.to_string())?;
        let mut got = Vec::new();
        while let Some(character) = block_on(sampler.next(&trainer.task)).unwrap() {
            got.push(character.cost.loss);
        }
        // Of a record that has come to its end, nothing is written any more.
        let is_cut = text.starts_with(sampler.text()) && trainer.task.is_at_end(sampler.text());
        if sampler.text() != text && !is_cut {
            return Err(format!("it writes {:?} where {text:?} is expected", sampler.text()));
        }
        let mut pairs = got.iter().zip(costs);
        let is_near = pairs.all(|(got, cost)| (got - cost).abs() <= COST_TOLERANCE);
        match is_near && (got.len() == costs.len() || is_cut) {
            true => Ok(()),
            false => Err(format!("{text:?} costs {got:?} where {costs:?} is expected")),
        }
    });
}

#[test]
fn resumed_runs_have_the_losses_of_the_version_that_wrote_them() {
    each(|kept| {
        let Some(last) = kept.expected.losses.last() else { return Ok(()) };
        let mut checkpoint = kept.open()?;
        // As `--resume` with `--steps`, of a run that has ended.
        let steps = &mut checkpoint.config.train.steps;
        *steps = last.step.max(*steps);
        let mut trainer = kept.resume(checkpoint)?;
        for expected in &kept.expected.losses {
            let got = block_on(trainer.step()).unwrap().loss;
            let is_near = |a: f32, b: f32| (a - b).abs() <= TOLERANCE;
            let is_validation_near = match (got.val_loss, expected.val_loss) {
                (Some(got), Some(expected)) => is_near(got, expected),
                (got, expected) => got == expected,
            };
            let is_same = got.step == expected.step
                && is_near(got.train_loss, expected.train_loss)
                && is_validation_near;
            if !is_same {
                return Err(format!("{got:?} where {expected:?} is expected"));
            }
        }
        Ok(())
    });
}
