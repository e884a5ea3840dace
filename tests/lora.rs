//! Low-rank adapters: what is trained, what stays, and how they are switched, merged, removed and exchanged.

mod common;

use std::path::Path;

use burn::tensor::Device;
use common::terminal::{confab, ok, train};
use common::{LIMITS, apart, checkpoint, losses, resume, small, trainer, untimed_run};
use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::import::peft;
use confab::learn::Trainer;
use confab::run::{Adapter, Moments, Operation, OperationKind};
use confab::surgery::operate;
use proptest::prelude::*;

/// A trained run of the phone task.
fn base() -> Checkpoint {
    let mut run = trainer(small(&[
        ("train.clip", "0"),
        ("train.weight_decay", "0"),
        ("model.n_layers", "2"),
    ]));
    losses(&mut run, 3);
    checkpoint(&run)
}

/// A run that goes on from `base` with an adapter.
fn adapted(base: Checkpoint, rank: usize, on: &str) -> Trainer {
    let mut config = base.config.clone();
    config.train.lora.rank = rank;
    config.train.lora.alpha = 6.0;
    config.train.lora.on = on.into();
    resume(base.restart(config).unwrap())
}

fn layout(of: &Checkpoint) -> Layout {
    Layout::new(&of.config.model, of.tokenizer.vocab_size())
}

fn edit(of: &Checkpoint, kind: OperationKind, number: usize) -> Result<Checkpoint, String> {
    operate(of, Operation { kind, number }, &LIMITS, &|_| None).map_err(|error| error.to_string())
}

#[test]
fn gradients_of_both_matrices_are_those_of_the_weights_through_the_chain_rule() {
    let mut run = adapted(base(), 3, "q,v,o,in,out");
    losses(&mut run, 2);
    let before = checkpoint(&run);
    losses(&mut run, 1);
    let of_adapter = gradient(&checkpoint(&run), &before);
    // The same batch, in a run of the merged weights, which are trained themselves.
    let mut merged = Checkpoint {
        parameters: before.weights().into_owned(),
        adapters: Vec::new(),
        ..before.clone()
    };
    merged.config.train.lora.rank = 0;
    let mut full = resume(Checkpoint { moments: None, ..merged });
    losses(&mut full, 1);
    let of_weights = checkpoint(&full).moments.unwrap().first;
    let share = 1.0 - before.config.train.beta1 as f32;
    let of_weights: Vec<f32> = of_weights.iter().map(|first| first / share).collect();
    // dA = s G Bᵀ and dB = s Aᵀ G.
    let (adapter, layout) = (&before.adapters[0], layout(&before));
    assert_eq!(adapter.targets.len(), 10);
    for part in adapter.parts(&layout).unwrap() {
        let ([rows, columns], rank, scale) = (part.shape, adapter.rank, adapter.scale());
        let (a, b) = (&adapter.values[part.a.clone()], &adapter.values[part.b.clone()]);
        let g = &of_weights[part.target.clone()];
        let of_a = (0..rows * rank).map(|at| {
            let (row, inner) = (at / rank, at % rank);
            scale
                * (0..columns)
                    .map(|column| g[row * columns + column] * b[inner * columns + column])
                    .sum::<f32>()
        });
        let of_b = (0..rank * columns).map(|at| {
            let (inner, column) = (at / columns, at % columns);
            scale
                * (0..rows)
                    .map(|row| a[row * rank + inner] * g[row * columns + column])
                    .sum::<f32>()
        });
        for (got, wanted) in
            [(&of_adapter[part.a], of_a.collect::<Vec<_>>()), (&of_adapter[part.b], of_b.collect())]
        {
            let size = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(size > 0.0);
            assert!(apart(got, &wanted) < 2e-4 * size + 1e-7, "{} of {size}", apart(got, &wanted));
        }
    }
}

/// The gradient of the last step of an adapter, by its first moments.
fn gradient(after: &Checkpoint, before: &Checkpoint) -> Vec<f32> {
    let beta = before.config.train.beta1 as f32;
    let first = |of: &Checkpoint| of.adapters[0].moments.clone().unwrap().first;
    let moved = first(after).into_iter().zip(first(before));
    moved.map(|(after, before)| (after - beta * before) / (1.0 - beta)).collect()
}

#[test]
fn an_adapter_changes_nothing_at_first_and_only_its_own_numbers_later() {
    let base = base();
    let begun = checkpoint(&adapted(base.clone(), 2, "q,v"));
    assert_eq!(begun.weights(), base.parameters);
    let mut run = adapted(base.clone(), 2, "q,v");
    losses(&mut run, 4);
    let after = checkpoint(&run);
    assert_eq!(after.parameters, base.parameters);
    let (weights, layout) = (after.weights(), layout(&after));
    for parameter in layout.parameters() {
        let changed =
            apart(&weights[parameter.range.clone()], &base.parameters[parameter.range.clone()])
                > 0.0;
        let is_target = parameter.name().ends_with("W_Q") || parameter.name().ends_with("W_V");
        assert_eq!(changed, is_target, "{}", parameter.name());
    }
    // The model computes with the sum.
    let flat = common::read(run.model().parameters.clone());
    assert!(apart(&flat, &weights) < 1e-6);
    // 2 · (8 + 8) numbers for each of four matrices, and as many moments.
    assert_eq!(after.adapters[0].values.len(), 128);
    assert_eq!(after.adapters[0].moments.as_ref().unwrap().first.len(), 128);
    assert!(after.moments.is_none());
}

#[test]
fn a_run_with_an_adapter_resumes_as_if_it_had_never_stopped() {
    let base = base();
    let mut whole = adapted(base.clone(), 2, "k,out");
    let expected = losses(&mut whole, 8);
    let mut first = adapted(base, 2, "k,out");
    assert_eq!(losses(&mut first, 4), expected[..4]);
    let bytes = checkpoint(&first).to_bytes().unwrap();
    let mut second = resume(Checkpoint::from_bytes(&bytes).unwrap());
    assert_eq!(losses(&mut second, 4), expected[4..]);
    assert_eq!(untimed_run(checkpoint(&second)), untimed_run(checkpoint(&whole)));
}

#[test]
fn adapters_are_switched_merged_and_removed() {
    let base = base();
    let mut run = adapted(base.clone(), 2, "q,v");
    losses(&mut run, 4);
    // A second adapter learns on top of the first.
    let mut run = adapted(checkpoint(&run), 1, "in");
    losses(&mut run, 4);
    let both = checkpoint(&run);
    assert_eq!(both.adapters.len(), 2);
    let without = |number: usize| edit(&both, OperationKind::RemoveAdapter, number).unwrap();
    assert_eq!(without(0).parameters, base.parameters);
    assert_eq!(without(0).adapters[0].values, both.adapters[1].values);
    // Off is as removed, and on again as before.
    let off = edit(&both, OperationKind::SwitchAdapter, 0).unwrap();
    assert_eq!(off.weights(), without(0).weights());
    assert_eq!(edit(&off, OperationKind::SwitchAdapter, 0).unwrap().weights(), both.weights());
    // Merging leaves what the model computes, to rounding.
    let merged =
        edit(&edit(&both, OperationKind::MergeAdapter, 0).unwrap(), OperationKind::MergeAdapter, 0)
            .unwrap();
    assert!(merged.adapters.is_empty());
    assert!(apart(&merged.parameters, &both.weights()) < 1e-6);
    assert_eq!(merged.config.train.lora.rank, 0);
    losses(&mut resume(merged), 1);
    // The changes of both add up.
    let (sum, weights) = (
        both.weights(),
        [
            off.weights().into_owned(),
            edit(&both, OperationKind::SwitchAdapter, 1).unwrap().weights().into_owned(),
        ],
    );
    let added: Vec<f32> =
        (0..sum.len()).map(|at| weights[0][at] + weights[1][at] - base.parameters[at]).collect();
    assert!(apart(&added, &sum) < 1e-6);
    // Weights below adapters can be trained too.
    let mut below = both.clone();
    below.config.train.lora.rank = 0;
    let mut below = resume(below);
    losses(&mut below, 2);
    let below = checkpoint(&below);
    assert_ne!(below.parameters, both.parameters);
    assert_eq!(below.adapters[1].values, both.adapters[1].values);
    // What does not fit is refused.
    assert!(edit(&both, OperationKind::AddLayer, 0).unwrap_err().contains("merge or remove"));
    assert!(edit(&both, OperationKind::MergeAdapter, 2).unwrap_err().contains("are 0 to 1"));
    assert!(edit(&base, OperationKind::RemoveAdapter, 0).unwrap_err().contains("has none"));
}

#[test]
fn a_new_run_without_lora_has_the_adapters_in_its_weights() {
    let mut run = adapted(base(), 2, "q");
    losses(&mut run, 3);
    let adapted = checkpoint(&run);
    let mut config = adapted.config.clone();
    config.train.lora.rank = 0;
    let restarted = adapted.clone().restart(config).unwrap();
    assert_eq!(adapted.weights(), restarted.parameters);
    assert!(restarted.adapters.is_empty());
}

#[test]
fn damaged_adapters_are_refused() {
    let good = checkpoint(&adapted(base(), 2, "q"));
    let refused = |change: &dyn Fn(&mut Adapter)| {
        let mut bad = good.clone();
        change(&mut bad.adapters[0]);
        let written = bad.to_bytes().map_err(|error| error.to_string());
        written.and_then(|bytes| {
            Checkpoint::from_bytes(&bytes).map(drop).map_err(|error| error.to_string())
        })
    };
    assert!(refused(&|_| {}).is_ok());
    let infinite = refused(&|adapter| adapter.values[0] = f32::INFINITY).unwrap_err();
    assert!(infinite.contains("adapters.0.blocks.0.attn.W_Q.A"), "{infinite}");
    let unknown = refused(&|adapter| adapter.targets[0] = "blocks.9.attn.W_Q".into()).unwrap_err();
    assert!(unknown.contains("blocks.9.attn.W_Q"), "{unknown}");
    let vector = refused(&|adapter| adapter.targets[0] = "ln_final.w".into()).unwrap_err();
    assert!(vector.contains("ln_final.w"), "{vector}");
    assert!(refused(&|adapter| adapter.alpha = f64::NAN).is_err());
    let moments = Some(Moments { first: vec![0.0; 3], second: Some(vec![0.0; 3]) });
    assert!(refused(&|adapter| adapter.moments.clone_from(&moments)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn adapters_come_back_from_peft_with_the_same_change(
        rank in 1..5usize,
        alpha in 1..40u32,
        on in prop::sample::subsequence(vec!["q", "k", "v", "o", "in", "out"], 1..=6),
        is_llama in any::<bool>(),
        seed in 0..1000u32,
    ) {
        let llama: &[(&str, &str)] = &[("model.positions", "rotary"), ("model.mlp", "swiglu"), ("model.kv_heads", "1")];
        let mut config = small(if is_llama { llama } else { &[] });
        (config.train.lora.rank, config.train.lora.alpha) = (rank, alpha.into());
        config.train.lora.on = on.join(",");
        let vocab = 71;
        let layout = Layout::new(&config.model, vocab);
        let mut adapter = Adapter::new(&config.train.lora, &layout);
        let count = adapter.parts(&layout).unwrap().last().unwrap().b.end;
        adapter.values = common::numbers(count, seed);
        let (json, tensors) = peft::write(&adapter, &config.model, &layout).unwrap();
        let back = peft::read(&json, &tensors, &config.model, &layout).unwrap();
        let change = |adapter: &Adapter| {
            let mut flat = vec![0.0; layout.len()];
            adapter.add_to(&mut flat, &layout);
            flat
        };
        let (before, after) = (change(&adapter), change(&back));
        let size = before.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        prop_assert!(apart(&before, &after) < 1e-5 * size, "{}", apart(&before, &after));
    }
}

#[test]
fn an_adapter_goes_out_and_onto_the_model_again_at_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let new = train(folder, &["--steps", "5", "--lora-rank", "2", "--out", "new.safetensors"]);
    assert!(String::from_utf8_lossy(&new.stderr).contains("--from"), "{new:?}");
    ok(&train(folder, &["--steps", "5", "--out", "base.safetensors"]));
    let tune = ["train", "--from", "base.safetensors", "--steps", "5", "--device", "cpu"];
    let lora = ["--lora-rank", "2", "--lora-on", "q,v,out", "--out", "tuned.safetensors"];
    ok(&confab(folder, &[&tune[..], &lora].concat()));
    let other = confab(
        folder,
        &["train", "--resume", "tuned.safetensors", "--steps", "9", "--lora-rank", "3"],
    );
    assert!(String::from_utf8_lossy(&other.stderr).contains("--lora-rank"), "{other:?}");
    ok(&confab(folder, &["adapter", "save", "tuned.safetensors", "peft"]));
    ok(&confab(
        folder,
        &["adapter", "load", "base.safetensors", "peft", "--out", "loaded.safetensors"],
    ));
    let load =
        |name: &str| Checkpoint::from_bytes(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    assert_eq!(load("loaded.safetensors").weights(), load("tuned.safetensors").weights());
    let shown = ok(&confab(
        folder,
        &["inspect", "tuned.safetensors", "--what", "adapters", "--device", "cpu"],
    ));
    assert!(shown.contains("blocks.0.attn.W_Q") && shown.contains("rank 2"), "{shown}");
    let truncated = std::fs::read(folder.join("peft/adapter_model.safetensors")).unwrap();
    std::fs::write(
        folder.join("peft/adapter_model.safetensors"),
        &truncated[..truncated.len() / 2],
    )
    .unwrap();
    let told =
        confab(folder, &["adapter", "load", "base.safetensors", "peft", "--out", "x.safetensors"]);
    assert!(
        String::from_utf8_lossy(&told.stderr).contains("adapter_model.safetensors"),
        "{told:?}"
    );
    assert!(!Path::new(&folder.join("x.safetensors")).exists());
}

/// Our names of the matrices of a module, and whether it is `[out, in]`.
fn matrices(module: &str) -> (&'static [&'static str], bool) {
    match module {
        "attn.c_attn" => (&["attn.W_Q", "attn.W_K", "attn.W_V"], false),
        "attn.c_proj" => (&["attn.W_O"], false),
        "mlp.c_fc" => (&["mlp.W_in"], false),
        "mlp.c_proj" => (&["mlp.W_out"], false),
        "self_attn.q_proj" => (&["attn.W_Q"], true),
        "self_attn.v_proj" => (&["attn.W_V"], true),
        "mlp.down_proj" => (&["mlp.W_out"], true),
        other => panic!("{other}"),
    }
}

#[test]
fn adapters_that_peft_wrote_change_the_matrices_as_in_peft() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["gpt2", "llama"] {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/import").join(name);
        let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/peft").join(name);
        ok(&confab(folder, &["import", model.to_str().unwrap(), "--out", "model.safetensors"]));
        let load = [
            "adapter",
            "load",
            "model.safetensors",
            adapter.to_str().unwrap(),
            "--out",
            "adapted.safetensors",
        ];
        ok(&confab(folder, &load));
        let adapted =
            Checkpoint::from_bytes(&std::fs::read(folder.join("adapted.safetensors")).unwrap())
                .unwrap();
        let (weights, layout) = (adapted.weights(), layout(&adapted));
        let bytes = std::fs::read(adapter.join("merged.safetensors")).unwrap();
        let merged = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut compared = 0;
        for (key, tensor) in merged.tensors() {
            let values: Vec<f32> =
                tensor.data().as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
            let (_, rest) = key.split_once(if name == "gpt2" { "h." } else { "layers." }).unwrap();
            let (layer, module) = rest.strip_suffix(".weight").unwrap().split_once('.').unwrap();
            let (ours, is_transposed) = matrices(module);
            let [rows, columns] = [tensor.shape()[0], tensor.shape()[1]];
            for (index, ours) in ours.iter().enumerate() {
                let parameter = layout.find(&format!("blocks.{layer}.{ours}")).unwrap();
                let [inputs, outputs] = [parameter.shape()[0], parameter.shape()[1]];
                let at = |input: usize, output: usize| match is_transposed {
                    true => values[output * columns + input],
                    false => values[input * columns + index * outputs + output],
                };
                assert_eq!(
                    rows * columns,
                    inputs * outputs * if module == "attn.c_attn" { 3 } else { 1 }
                );
                let expected: Vec<f32> =
                    (0..inputs * outputs).map(|of| at(of / outputs, of % outputs)).collect();
                assert!(apart(&weights[parameter.range.clone()], &expected) < 1e-5, "{key}");
                compared += 1;
            }
        }
        assert_eq!(compared, if name == "gpt2" { 12 } else { 6 });
    }
}

#[test]
fn an_adapter_is_trained_on_webgpu_as_on_the_cpu() {
    let config = {
        let mut config = base().config;
        (config.train.lora.rank, config.train.lora.on) = (2, "q,o,in".into());
        config
    };
    let begun = base().restart(config).unwrap();
    let mut cpu = Trainer::resume(begun.clone(), Device::flex(), &LIMITS).unwrap();
    let mut gpu = Trainer::resume(begun, common::webgpu(), &LIMITS).unwrap();
    let [cpu, gpu] = [&mut cpu, &mut gpu].map(|run| losses(run, 6));
    assert!(apart(&cpu, &gpu) < 1e-3, "{cpu:?} {gpu:?}");
}
