//! Variants of GPT-2: each learns, is kept, and trains the same on every device.

mod common;

use burn::tensor::Device;
use confab::checkpoint::Checkpoint;
use confab::generate::Decoder;
use confab::host::HostModel;
use confab::learn::Trainer;
use confab::task::Split;
use futures::executor::block_on;

use common::{Changes, checkpoint, losses, resume, small, trainer, trainer_on, webgpu};

/// Settings with all of Llama's parts and more.
const LLAMA: Changes = &[
    ("model.norm", "rms"),
    ("model.mlp", "swiglu"),
    ("model.d_mlp", "10"),
    ("model.positions", "rotary"),
    ("model.n_heads", "4"),
    ("model.kv_heads", "2"),
    ("model.d_head", "6"),
    ("model.qk_norm", "true"),
];

const VARIANTS: &[Changes] = &[
    LLAMA,
    &[("model.norm", "rms"), ("model.norm_eps", "0.001"), ("model.bias", "true")],
    &[("model.norm", "none")],
    &[("model.mlp", "gelu-tanh"), ("model.dropout", "0.1")],
    &[("model.mlp", "relu"), ("model.d_mlp", "9")],
    &[("model.mlp", "relu2"), ("model.tied_head", "false")],
    &[("model.mlp", "swiglu"), ("model.bias", "true")],
    &[("model.mlp", "reglu"), ("model.tied_head", "false")],
    &[("model.mlp", "sigmoid")],
    &[("model.mlp", "none")],
    &[("model.positions", "rotary"), ("model.rope_base", "100"), ("noise.forget", "0.3")],
    &[("model.positions", "none"), ("model.mlp", "none"), ("model.norm", "none")],
    &[("model.kv_heads", "1")],
    &[("model.n_heads", "8"), ("model.d_head", "1")],
    &[("model.qk_norm", "true"), ("train.output_l1", "0.1")],
    &[("model.head_gates", "true"), ("model.bias", "true")],
    &[
        ("model.mixer", "0:conv,1:linear"),
        ("model.conv_width", "4"),
        ("model.head_gates", "true"),
        ("noise.forget", "0.3"),
    ],
    &[("model.memory_tokens", "5"), ("noise.forget", "0.3"), ("noise.insert", "0.1")],
    &[("model.memory_tokens", "3"), ("model.positions", "rotary"), ("model.tied_head", "false")],
    &[("model.feedback", "true"), ("model.dropout", "0.1"), ("noise.forget", "0.3")],
];

fn validation_loss(trainer: &Trainer) -> f32 {
    block_on(trainer.losses(Split::Validation, 1)).unwrap().mean()
}

#[test]
fn every_variant_learns_in_five_steps() {
    for changes in VARIANTS {
        let mut run = trainer(small(changes));
        let before = validation_loss(&run);
        losses(&mut run, 5);
        let after = validation_loss(&run);
        assert!(after < before - 0.005, "{changes:?}: {before} to {after}");
    }
}

#[test]
fn every_variant_is_kept_in_a_checkpoint_and_goes_on_from_it() {
    for changes in VARIANTS {
        let mut whole = trainer(small(changes));
        losses(&mut whole, 2);
        let bytes = checkpoint(&whole).to_bytes().unwrap();
        let kept = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(kept.config, small(changes));
        let mut resumed = resume(kept);
        let (expected, got) = (losses(&mut whole, 2), losses(&mut resumed, 2));
        for (a, b) in expected.iter().zip(&got) {
            assert!((a - b).abs() < 1e-4, "{changes:?}: {expected:?} against {got:?}");
        }
    }
}

#[test]
fn every_variant_is_written_on_with_and_recorded() {
    let ids: Vec<u32> = (0..30).map(|at| at * 7 % 50).collect();
    for changes in VARIANTS {
        let run = trainer(small(changes));
        let kept = checkpoint(&run);
        let plain = HostModel::new(&run.config.model, &run.model().layout, &kept.parameters);
        let recorded = plain.record(&ids, &[]).logits;
        let written = block_on(Decoder::new(run.model()).decode(&ids)).unwrap();
        let last = &recorded[recorded.len() - written.len()..];
        let apart = written.iter().zip(last).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-4, "{changes:?}");
    }
}

#[test]
fn all_of_llamas_parts_lose_the_same_on_the_cpu_and_on_webgpu() {
    let changes = [LLAMA, &[("train.output_l1", "0.1"), ("train.accumulation", "2")]].concat();
    let [cpu, gpu] = [Device::flex(), webgpu()]
        .map(|device| losses(&mut trainer_on(small(&changes), device), 5));
    for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
        assert!((cpu - gpu).abs() < 1e-3, "step {step}: {cpu} and {gpu}");
    }
}

#[test]
fn a_penalty_on_outputs_makes_them_small_and_is_not_in_the_loss_told() {
    let ids: Vec<u32> = (0..30).map(|at| at * 7 % 50).collect();
    let run = |penalty: &str| {
        let mut run = trainer(small(&[("train.output_l1", penalty)]));
        let first = losses(&mut run, 15)[0];
        let kept = checkpoint(&run);
        let plain = HostModel::new(&run.config.model, &run.model().layout, &kept.parameters);
        let normed = plain.record(&ids, &[]).normed;
        (first, normed.iter().map(|x| x.abs()).sum::<f32>() / normed.len() as f32)
    };
    let ((first, free), (first_too, penalized)) = (run("0"), run("10"));
    assert_eq!(first, first_too);
    assert!(penalized < 0.95 * free, "{penalized} and {free}");
}
