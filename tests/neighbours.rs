//! A prediction that is mixed with what followed the nearest of what was read before (kNN-LM).

mod common;

use confab::checkpoint::Checkpoint;
use confab::config::RunConfig;
use confab::generate::Decoder;
use confab::host::HostModel;
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::learn::Trainer;
use confab::memory::{Exact, NewSlot, Origin, Shape, Store};
use confab::run::{AnalysisRequest, Operation, OperationKind};
use confab::surgery::operate;
use confab::task::Split;
use futures::executor::block_on;

use common::{
    Changes, LIMITS, apart, checkpoint, logits_of, losses, resume, set, small, trainer_on, webgpu,
};

const IDS: [u32; 9] = [3, 9, 1, 4, 4, 17, 20, 3, 9];

fn config(changes: Changes) -> RunConfig {
    let mut config = small(&[]);
    config.model.memory.lambda = 0.3;
    (config.model.memory.top_k, config.model.memory.slots) = (4, 2000);
    config.train.steps = 40;
    set(&mut config, changes);
    config
}

fn trainer(changes: Changes) -> Trainer {
    common::trainer(config(changes))
}

/// The number of layers, by which the output goes.
fn output(run: &Trainer) -> usize {
    run.config.model.n_layers
}

fn slots(run: &Trainer) -> &Exact {
    &run.model().bank.output().unwrap().store
}

/// Keys of all directions, each followed by some token.
fn fill(run: &mut Trainer) {
    let mut store = Exact::new(slots(run).shape());
    let d_key = store.shape().d_key;
    let slot = |at: usize| {
        let key: Vec<f32> = (0..d_key).map(|i| ((at * 31 + i * 17) as f32).sin()).collect();
        let length = key.iter().map(|x| x * x).sum::<f32>().sqrt();
        let key = key.iter().map(|x| x / length).collect();
        NewSlot { key, value: vec![(at % 5) as f32], origin: Origin::default() }
    };
    store.insert(&(0..40).map(slot).collect::<Vec<_>>()).unwrap();
    let layer = output(run);
    run.learner.model.bank.put(layer, store);
}

fn plain(run: &Trainer) -> HostModel {
    let flat = checkpoint(run).parameters;
    HostModel::new(&run.config.model, &run.model().layout, &flat).remember(&run.model().bank)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|x| f64::from(x - most).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

#[test]
fn the_prediction_is_the_mixture_that_brute_force_gives() {
    let mut run = trainer(&[]);
    let alone = plain(&run).record(&IDS, &[]);
    fill(&mut run);
    let recording = plain(&run).record(&IDS, &[]);
    let vocab = recording.vocab_size;
    let (keys, values) = (slots(&run).keys().to_vec(), slots(&run).values().to_vec());
    for at in 0..IDS.len() {
        let normed = &recording.normed[at * 8..][..8];
        let length = normed.iter().map(|x| x * x).sum::<f32>().sqrt();
        let distance = |key: &[f32]| -> f64 {
            let squares = key.iter().zip(normed).map(|(k, x)| f64::from(k - x / length).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let mut near: Vec<(f64, usize)> = keys
            .chunks(8)
            .zip(&values)
            .map(|(key, token)| (distance(key), *token as usize))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(4);
        let total: f64 = near.iter().map(|(far, _)| (-8.0 * far).exp()).sum();
        let mut expected: Vec<f64> = softmax(alone.logits_at(at)).iter().map(|p| 0.7 * p).collect();
        for (far, token) in near {
            expected[token] += 0.3 * (-8.0 * far).exp() / total;
        }
        let got = softmax(recording.logits_at(at));
        let apart = (0..vocab).map(|token| (got[token] - expected[token]).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-4, "at {at}");
    }
}

#[test]
fn loops_tensors_and_webgpu_mix_alike() {
    let mut run = trainer(&[]);
    fill(&mut run);
    let expected = plain(&run).record(&IDS, &[]).logits;
    assert!(apart(&logits_of(run.model(), &IDS), &expected) < 1e-4);
    let mut on_gpu = trainer_on(config(&[]), webgpu());
    fill(&mut on_gpu);
    assert!(apart(&logits_of(on_gpu.model(), &IDS), &expected) < 1e-4);
    let mut cached = Decoder::on_gpu(on_gpu.model());
    let mut last = Vec::new();
    for id in IDS {
        last = block_on(cached.decode(&[id])).unwrap();
    }
    let vocab = last.len();
    assert!(apart(&last, &expected[expected.len() - vocab..]) < 1e-4);
}

#[test]
fn it_is_filled_while_weights_are_frozen_and_only_then() {
    let mut run = trainer(&[]);
    losses(&mut run, 5);
    assert_eq!(slots(&run).ids().len(), 0);
    let before = checkpoint(&run);
    run.config.train.frozen = true;
    let loss = |run: &Trainer| block_on(run.losses(Split::Train, 2)).unwrap().mean();
    let alone = loss(&run);
    losses(&mut run, 6);
    let held = slots(&run).ids().len();
    assert!(held > 50, "{held}");
    let after = checkpoint(&run);
    assert_eq!(before.parameters, after.parameters);
    // It has seen what tends to follow; an untrained model has not.
    let mixed = loss(&run);
    assert!(mixed < alone - 0.05, "{alone} to {mixed}");
    // What wrote a slot, and what followed there, is kept; its value is that token.
    for slot in slots(&run).slots() {
        let token = run.tokenizer.token(slot.new.value[0] as u32).unwrap();
        assert_eq!(token, slot.new.origin.next);
        assert!(!slot.new.origin.text.is_empty() && slot.new.origin.step > 5);
        let length: f32 = slot.new.key.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }
    // No two say the same.
    let all: Vec<_> = slots(&run).slots().collect();
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    for (at, slot) in all.iter().enumerate() {
        let twin = all[..at]
            .iter()
            .find(|other| same(&other.new.key, &slot.new.key) && other.new.value == slot.new.value);
        assert!(twin.is_none(), "{slot:?} and {twin:?}");
    }
}

#[test]
fn a_file_keeps_it_and_no_more_slots_than_there_may_be() {
    let mut run = trainer(&[("train.frozen", "true"), ("model.memory.slots", "60")]);
    losses(&mut run, 6);
    assert_eq!(slots(&run).ids().len(), 60);
    let kept = checkpoint(&run);
    let read = Checkpoint::from_bytes(&kept.to_bytes().unwrap()).unwrap();
    assert_eq!(read, kept);
    let mut again = resume(read);
    losses(&mut run, 2);
    losses(&mut again, 2);
    assert_eq!(slots(&run), slots(&again));
}

#[test]
fn a_run_goes_on_with_neighbours_that_it_had_not() {
    let mut run = trainer(&[("model.memory.lambda", "0")]);
    losses(&mut run, 3);
    assert!(run.model().bank.output().is_none());
    let config = config(&[("train.frozen", "true"), ("model.memory.lambda", "0.5")]);
    let begun = checkpoint(&run).restart(config).unwrap();
    let mut run = resume(begun);
    losses(&mut run, 2);
    assert!(slots(&run).ids().len() > 20);
}

#[test]
fn the_browser_shows_it_as_the_output() {
    let mut run = trainer(&[("train.frozen", "true")]);
    losses(&mut run, 4);
    let layer = output(&run);
    for what in ["recalled", "slots", "memory-map"] {
        let prompt = run.task.example_prompt(0);
        let look =
            AnalysisRequest { analysis: what.into(), prompt, layer, ..AnalysisRequest::default() };
        let model = block_on(Snapshot::read(&run)).unwrap().into();
        let figures = AnalysisJob::new(model, look).unwrap().figures().unwrap();
        assert!(figures[0].title.contains("the output"), "{}", figures[0].title);
    }
}

#[test]
fn a_wider_model_must_have_an_empty_output() {
    let mut run = trainer(&[("train.frozen", "true")]);
    let widen = |run: &Trainer| {
        let before = checkpoint(run);
        operate(&before, Operation { kind: OperationKind::Widen, number: 2 }, &LIMITS, &|_| None)
    };
    let after = widen(&run).unwrap();
    assert_eq!(
        after.bank.output().unwrap().store.shape(),
        Shape { d_key: 16, ..slots(&run).shape() }
    );
    losses(&mut run, 2);
    assert!(widen(&run).unwrap_err().to_string().contains("train.frozen"));
    // Other operations carry it along.
    let before = checkpoint(&run);
    let operation = Operation { kind: OperationKind::AddLayer, number: 0 };
    let after = operate(&before, operation, &LIMITS, &|_| None).unwrap();
    assert_eq!(after.bank.output(), before.bank.output());
}
