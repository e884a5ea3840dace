//! Optimizers: their steps as papers have them, and runs that are resumed, sharded, pruned and adapted.

#[path = "../common/mod.rs"]
mod common;
mod papers;

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Device;
use confab::base::parallel::Threads;
use confab::checkpoint::Checkpoint;
use confab::config::{Knob, OptimizerKind, RunConfig};
use confab::learn::Trainer;
use confab::run::{Operation, OperationKind};
use confab::surgery::operate;
use confab::task::Split;
use futures::executor::block_on;

use common::terminal::{ok, refused, train};
use common::{
    Changes, LIMITS, bits, checkpoint, losses, resume, small, trainer, trainer_on, webgpu,
};

const KINDS: [OptimizerKind; 3] = [OptimizerKind::AdamW, OptimizerKind::Sgd, OptimizerKind::Muon];

/// Settings of a run by an optimizer, at a rate that suits it.
fn by(kind: OptimizerKind, changes: Changes) -> RunConfig {
    let lr = if kind == OptimizerKind::Sgd { "0.3" } else { "0.01" };
    let own = [("train.optimizer", kind.name()), ("train.lr", lr)];
    small(&[&own, changes].concat())
}

// ---- runs

fn validation_loss(run: &Trainer) -> f32 {
    block_on(run.losses(Split::Validation, 2)).unwrap().mean()
}

#[test]
fn thirty_steps_lower_the_loss_on_every_device() {
    for device in [Device::flex(), webgpu()] {
        for kind in KINDS {
            let mut run = trainer_on(by(kind, &[]), device.clone());
            let before = validation_loss(&run);
            losses(&mut run, 30);
            let after = validation_loss(&run);
            assert!(after < before - 0.3, "{kind:?}: {before} to {after}");
        }
    }
}

#[test]
fn a_run_that_was_saved_goes_on_as_if_it_had_never_stopped() {
    for kind in KINDS {
        for changes in [&[][..], &[("model.dropout", "0.1"), ("train.warmup", "4")]] {
            let whole = bits(trainer(by(kind, changes)), 8);
            let mut run = trainer(by(kind, changes));
            let mut first: Vec<u32> =
                losses(&mut run, 5).iter().map(|loss| loss.to_bits()).collect();
            let saved = checkpoint(&run);
            let second = saved.moments.as_ref().unwrap().second.as_ref();
            assert_eq!(second.is_some(), kind != OptimizerKind::Sgd);
            let bytes = saved.to_bytes().unwrap();
            Checkpoint::check(&bytes).unwrap();
            let read = Checkpoint::from_bytes(&bytes).unwrap();
            assert_eq!(read, saved);
            let (last, parameters) = bits(resume(read), 3);
            first.extend(last);
            assert!(whole == (first, parameters), "{kind:?} {changes:?}");
        }
    }
}

#[test]
fn a_file_without_the_second_moments_of_its_optimizer_is_refused() {
    let mut run = trainer(by(OptimizerKind::Sgd, &[]));
    losses(&mut run, 1);
    let mut saved = checkpoint(&run);
    saved.config.train.optimizer = OptimizerKind::AdamW;
    let error = Checkpoint::from_bytes(&saved.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("optim.second.embed.W_E"), "{error}");
}

#[test]
fn losses_are_the_same_on_any_number_of_threads() {
    for kind in KINDS {
        let run = |threads: usize| {
            let shards =
                [("train.shards", "8"), ("train.batch", "11"), ("train.accumulation", "2")];
            let mut run = trainer(by(kind, &shards));
            run.crew = Rc::new(Arc::new(Threads::new(threads)));
            bits(run, 6)
        };
        assert!(run(1) == run(3), "{kind:?}");
    }
}

#[test]
fn pruned_weights_stay_0_and_others_move() {
    for kind in KINDS {
        let mut run = trainer(by(kind, &[]));
        losses(&mut run, 2);
        let operation = Operation { kind: OperationKind::PruneWeights, number: 50 };
        let pruned = operate(&checkpoint(&run), operation, &LIMITS, &|_| None).unwrap();
        assert!(pruned.config.train.keep_pruned);
        let mut run = resume(pruned.clone());
        losses(&mut run, 3);
        let after = checkpoint(&run).parameters;
        let zeros = |of: &[f32]| of.iter().filter(|x| **x == 0.0).count();
        assert_eq!(zeros(&after), zeros(&pruned.parameters), "{kind:?}");
        let pairs = after.iter().zip(&pruned.parameters);
        assert!(pairs.filter(|(_, before)| **before == 0.0).all(|(after, _)| *after == 0.0));
    }
}

#[test]
fn a_model_that_grows_goes_on_with_its_moments() {
    for kind in KINDS {
        for (operation, number) in [
            (OperationKind::AddHeads, 1),
            (OperationKind::PruneHeads, 1),
            (OperationKind::AddLayer, 0),
            (OperationKind::Widen, 2),
        ] {
            let mut run = trainer(by(kind, &[("model.head_gates", "true")]));
            losses(&mut run, 3);
            let operation = Operation { kind: operation, number };
            let after = operate(&checkpoint(&run), operation, &LIMITS, &|_| None).unwrap();
            let moments = after.moments.as_ref().unwrap();
            assert!(moments.vectors().all(|of| of.len() == after.parameters.len()));
            let mut run = resume(Checkpoint::from_bytes(&after.to_bytes().unwrap()).unwrap());
            let losses = losses(&mut run, 3);
            assert!(losses.iter().all(|loss| *loss < 4.5), "{kind:?} {operation}: {losses:?}");
        }
    }
}

#[test]
fn adapters_are_trained_by_sgd_and_go_on() {
    let mut base = trainer(by(OptimizerKind::AdamW, &[]));
    losses(&mut base, 2);
    let base = checkpoint(&base);
    let mut config = base.config.clone();
    common::set(&mut config, &[("train.optimizer", "sgd"), ("train.lora.rank", "2")]);
    let begin = || resume(base.clone().restart(config.clone()).unwrap());
    let mut run = begin();
    losses(&mut run, 2);
    let saved = checkpoint(&run);
    let moments = saved.adapters[0].moments.as_ref().unwrap();
    assert!(moments.second.is_none() && moments.first.iter().any(|x| *x != 0.0));
    let read = Checkpoint::from_bytes(&saved.to_bytes().unwrap()).unwrap();
    assert_eq!(read, saved);
    let mut on = resume(read);
    let [resumed, whole] = [losses(&mut on, 2), losses(&mut run, 2)];
    assert_eq!(resumed, whole);
}

// ---- what does not go together

#[test]
fn muon_is_refused_by_name_where_there_are_no_whole_matrices_and_no_schedule() {
    let refusal =
        |changes: Changes| by(OptimizerKind::Muon, changes).validate().unwrap_err().to_string();
    let adapted = refusal(&[("train.lora.rank", "2")]);
    assert!(
        adapted.contains("train.optimizer") && adapted.contains("train.lora.rank"),
        "{adapted}"
    );
    let still = refusal(&[("train.lr", "0")]);
    assert!(still.contains("train.muon_lr") && still.contains("train.lr"), "{still}");
}

#[test]
fn settings_of_other_optimizers_have_no_effect() {
    for (key, kinds) in [
        ("train.beta1", &[OptimizerKind::AdamW, OptimizerKind::Muon][..]),
        ("train.beta2", &[OptimizerKind::AdamW, OptimizerKind::Muon]),
        ("train.momentum", &[OptimizerKind::Sgd]),
        ("train.muon_lr", &[OptimizerKind::Muon]),
    ] {
        for kind in KINDS {
            let has = Knob::find(key).unwrap().has_effect(&by(kind, &[]));
            assert_eq!(has, kinds.contains(&kind), "{key} by {kind:?}");
        }
    }
}

#[test]
fn the_terminal_trains_by_every_optimizer_and_keeps_it_in_a_resumed_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in OptimizerKind::NAMES {
        ok(&train(at, &["--optimizer", name, "--steps", "3", "--out", "run.safetensors"]));
        let resume = ["train", "--resume", "run.safetensors", "--steps", "5", "--device", "cpu"];
        let other = if *name == "sgd" { "muon" } else { "sgd" };
        let says = ["--optimizer cannot be changed with --resume"];
        refused(at, &[&resume[..], &["--optimizer", other]].concat(), &says);
        let resumed =
            common::terminal::confab(at, &[&resume[..], &["--out", "run.safetensors"]].concat());
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    }
}
