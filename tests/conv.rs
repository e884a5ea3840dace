//! The gated convolution: its outputs against their definition, and its fused operation against plain ones; training on both
//! devices; what is told of layers that have no keys.

mod common;

use std::sync::Arc;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use common::{close, losses, numbers, read, set, small, trainer_on, webgpu};
use confab::arch::Layout;
use confab::base::quantized::Bits;
use confab::config::{ModelConfig, RunConfig};
use confab::figure::{Content, Grid};
use confab::generate::{Decoder, read_back};
use confab::host::HostModel;
use confab::interp::lab::{AnalysisJob, Snapshot};
use confab::kernel::attention::Mask;
use confab::kernel::conv::{Filter, convolve, follow, reference};
use confab::kernel::linear::Linear;
use confab::kernel::param::Param;
use confab::kernel::transfer::{floats, to_device};
use confab::learn::Trainer;
use confab::model::Weights;
use confab::run::{Action, ActivationIntervention, AnalysisRequest, Intervention, Site};
use futures::executor::block_on;
use proptest::prelude::*;

/// `z_t = g_t (Σ_j κ_j v_{t−j} + b)` of one number, token by token in 64 bits.
fn definition(tokens: &[[f64; 2]], kernel: &[f64], bias: f64) -> Vec<f64> {
    let z = |at: usize| {
        let reached = kernel.iter().zip(tokens[..=at].iter().rev());
        let sum: f64 = reached.map(|(weight, [_, value])| weight * value).sum();
        tokens[at][0] * (sum + bias)
    };
    (0..tokens.len()).map(z).collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_prompt_is_convolved_as_defined_wherever_it_is_cut(
        seq in 1usize..40,
        cut in 0usize..40,
        width in 1usize..9,
        taps in 2usize..17,
        has_bias in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let gv = numbers(seq * 2 * width, seed);
        let (w, b) = (numbers(taps * width, seed ^ 1), numbers(width, seed ^ 2));
        let b = if has_bias { b } else { vec![0.0; width] };
        let filter = Filter {
            w: Param::Own(Box::new(tensor(w.clone(), [taps, width]))),
            b: has_bias.then(|| Param::Own(Box::new(tensor(b.clone(), [width])))),
        };
        let part = |from: usize, to: usize, state| {
            let gv = gv[from * 2 * width..to * 2 * width].to_vec();
            let (z, state) = follow(tensor(gv, [1, to - from, 2 * width]), &filter, state);
            (floats(z.into_data()), state)
        };
        let cut = cut % seq;
        let (first, state) = if cut > 0 {
            let (z, state) = part(0, cut, None);
            (z, Some(state))
        } else {
            (Vec::new(), None)
        };
        let (rest, after) = part(cut, seq, state);
        let z = [first, rest].concat();
        for column in 0..width {
            let of = |row: &[f32]| [row[column], row[width + column]].map(f64::from);
            let tokens: Vec<[f64; 2]> = gv.chunks(2 * width).map(of).collect();
            let kernel = w.chunks(width).map(|row| f64::from(row[column]));
            let kernel: Vec<f64> = kernel.collect();
            let expected = definition(&tokens, &kernel, b[column].into());
            for (z, expected) in z.chunks(width).zip(&expected) {
                prop_assert!((f64::from(z[column]) - expected).abs() < 1e-5, "{} and {expected}", z[column]);
            }
            // The state is the last values, and 0 where there are fewer.
            for (back, kept) in floats(after.clone().into_data()).chunks(width).rev().enumerate() {
                let value = seq.checked_sub(back + 1).map_or(0.0, |at| tokens[at][1]);
                prop_assert!((f64::from(kept[column]) - value).abs() < 1e-6);
            }
        }
    }
}

/// Every third token but the first.
fn hidden(batch: usize, seq: usize, device: &Device) -> Tensor<2, Bool> {
    let hidden: Vec<bool> = (0..batch * seq).map(|at| at % seq % 3 == 2).collect();
    Tensor::from_data(TensorData::new(hidden, [batch, seq]), device)
}

/// Compares outputs, and gradients by tokens and all parameters, with those of plain tensor operations.
fn check_operation(device: &Device) {
    for (d_model, conv_width, seq, bias, hides) in [
        (1, 2, 1, true, false),
        (3, 3, 9, false, true),
        (8, 16, 5, true, true),
        (40, 4, 33, true, false),
        (70, 5, 300, true, true),
    ] {
        let mut config = ModelConfig { n_layers: 1, n_heads: 1, d_model, ..Default::default() };
        (config.context, config.conv_width, config.bias) = (2 * seq, conv_width, bias);
        config.mixer = "conv".to_owned().try_into().unwrap();
        let layout = Layout::new(&config, 5);
        let flat = to_device(numbers(layout.len(), 3), device);
        type Operation = fn(Tensor<3>, &Filter, &Mask) -> Tensor<3>;
        let [fused, plain] = [convolve as Operation, reference].map(|operation| {
            let mut weights = Weights::trainable(&layout, &flat);
            let x = weights.matrix("pos_embed.W_pos").tensor().reshape([2, seq, d_model]);
            let [gate, value] = ["Q", "V"].map(|of| weights.linear("blocks.0.attn", of));
            let filter = Filter {
                w: weights.matrix("blocks.0.attn.conv.w"),
                b: weights.vector("blocks.0.attn.conv.b"),
            };
            let mask = Mask::causal(hides.then(|| hidden(2, seq, device)));
            let z = operation(Linear::side_by_side([&gate, &value], x), &filter, &mask);
            let factors = TensorData::new(numbers(2 * seq * d_model, 99), [2, seq, d_model]);
            let factors = Tensor::from_data(factors, &device.clone().autodiff());
            weights.backward(&(z.clone() * factors).sum());
            (read(z.inner()), read(weights.into_gradient()))
        });
        let what = format!("{d_model} wide, {conv_width} of {seq} tokens");
        close(&fused.0, &plain.0, (1e-5, 1e-1), &what);
        for parameter in layout.parameters() {
            let what = format!("{what}, gradient by {}", parameter.name());
            let [got, expected] = [&fused.1, &plain.1].map(|by| &by[parameter.range.clone()]);
            close(got, expected, (1e-5, 1e-1), &what);
        }
    }
}

#[test]
fn the_operation_is_the_reference_on_the_cpu() {
    check_operation(&Device::flex());
}

#[test]
fn the_operation_is_the_reference_on_a_gpu() {
    check_operation(&webgpu());
}

fn config(mixer: &str) -> RunConfig {
    let mut config = small(&[("train.lr", "0.01"), ("train.steps", "30"), ("model.bias", "true")]);
    set(&mut config, &[("model.mixer", mixer), ("model.conv_width", "4")]);
    config
}

#[test]
fn it_learns_on_a_gpu_as_on_the_cpu() {
    for mixer in ["conv", "0:conv,1:linear"] {
        let of = |device| losses(&mut trainer_on(config(mixer), device), 30);
        let [cpu, gpu] = [Device::flex(), webgpu()].map(of);
        assert!(cpu[29] < 0.95 * cpu[0], "{cpu:?}");
        for (cpu, gpu) in cpu.iter().zip(&gpu) {
            assert!((cpu - gpu).abs() < 2e-3 * cpu, "{mixer}: {cpu} and {gpu}");
        }
    }
}

/// A run of a few steps, with a convolution before linear attention.
fn mixed() -> Trainer {
    let mut trainer = trainer_on(config("0:conv,1:linear"), Device::flex());
    losses(&mut trainer, 5);
    trainer
}

#[test]
fn a_model_of_two_mixers_decodes_what_it_reads() {
    let trainer = mixed();
    let ids: Vec<u32> = (0..40).map(|at| at * 7 % 50).collect();
    let mut decoder = Decoder::in_loops(trainer.model());
    let recorded = block_on(read_back(trainer.model())).unwrap().record(&ids, &[]);
    for (at, id) in ids.iter().enumerate() {
        let decoded = block_on(decoder.decode(&[*id])).unwrap();
        close(&decoded, recorded.logits_at(at), (1e-4, 1e-1), "logits");
    }
}

#[test]
fn its_projections_are_rounded_as_those_of_other_mixers() {
    let trainer = trainer_on(config("conv"), Device::flex());
    let ids: Vec<u32> = (0..20).map(|at| at * 7 % 50).collect();
    let host = block_on(read_back(trainer.model())).unwrap();
    let exact = host.record(&ids, &[]).logits;
    let rounded = host.quantize(Bits::Eight).unwrap();
    let near = rounded.record(&ids, &[]).logits;
    close(&near, &exact, (2e-2, 1e-1), "logits");
    assert_ne!(near, exact);
}

#[test]
fn patterns_are_means_and_outputs_are_computed_number_by_number() {
    let mut config = ModelConfig { n_layers: 1, n_heads: 2, d_model: 6, ..Default::default() };
    (config.bias, config.conv_width) = (true, 3);
    config.mixer = "conv".to_owned().try_into().unwrap();
    let layout = Layout::new(&config, 11);
    let flat = numbers(layout.len(), 7);
    let ids: Vec<u32> = (0..9).map(|at| at * 4 % 11).collect();
    let recorded = HostModel::new(&config, &layout, flat.clone()).record(&ids, &[]);
    let layer = &recorded.layers[0];
    assert!(layer.k.is_empty());
    let part = |name: &str| &flat[layout.find(name).unwrap().range.clone()];
    let (w, b) = (part("blocks.0.attn.conv.w"), part("blocks.0.attn.conv.b"));
    let weight = |query: usize, key: usize, column: usize| match query.checked_sub(key) {
        Some(back) if back < 3 => layer.q[query * 6 + column] * w[back * 6 + column],
        _ => 0.0,
    };
    for (query, z) in layer.z.chunks(6).enumerate() {
        let of_keys = |column: usize| (0..9).map(move |key| (key, column));
        let moved = |(key, column)| weight(query, key, column) * layer.v[key * 6 + column];
        let expected = (0..6).map(|column| {
            of_keys(column).map(moved).sum::<f32>() + layer.q[query * 6 + column] * b[column]
        });
        close(z, &expected.collect::<Vec<f32>>(), (1e-5, 1e-3), "outputs");
        for (head, pattern) in layer.pattern.chunks(81).enumerate() {
            let mean =
                |key| (0..3).map(|number| weight(query, key, head * 3 + number)).sum::<f32>() / 3.0;
            let expected: Vec<f32> = (0..9).map(mean).collect();
            close(&pattern[query * 9..][..9], &expected, (1e-5, 1e-3), "a pattern");
        }
    }
}

#[test]
fn a_model_without_any_keys_refuses_what_acts_on_keys_alone() {
    for (key, value, works) in [
        ("model.positions", "rotary", "learned"),
        ("model.qk_norm", "true", "false"),
        ("model.kv_heads", "1", "0"),
    ] {
        let mut config = config("conv");
        assert_eq!(config.validate(), Ok(()));
        set(&mut config, &[(key, value)]);
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.contains(key) && error.contains("`conv`") && error.contains(works),
            "{error}"
        );
        // In another layer it has something to act on.
        set(&mut config, &[("model.mixer", "conv,1:linear")]);
        assert_eq!(config.validate(), Ok(()), "{key}");
    }
    let mut config = config("conv");
    set(&mut config, &[("train.lora.rank", "2"), ("train.lora.on", "k")]);
    let error = config.validate().unwrap_err().to_string();
    assert!(error.contains("train.lora.on"), "{error}");
    set(&mut config, &[("train.lora.on", "k,v")]);
    assert_eq!(config.validate(), Ok(()));
}

fn ask(model: &Arc<Snapshot>, request: AnalysisRequest) -> Result<Vec<Grid>, String> {
    let mut job = AnalysisJob::new(model.clone(), request).map_err(|error| error.to_string())?;
    while job.advance().map_err(|error| error.to_string())? {}
    let figures = job.figures().map_err(|error| error.to_string())?;
    let grid = |content| if let Content::Grid(grid) = content { Some(grid) } else { None };
    Ok(figures.into_iter().filter_map(|figure| grid(figure.content)).collect())
}

#[test]
fn analyses_tell_of_a_layer_that_it_has_no_keys() {
    let model = Arc::new(block_on(Snapshot::read(&mixed())).unwrap());
    let request = |analysis: &str, layer| AnalysisRequest {
        analysis: analysis.into(),
        prompt: "{B}\nAda Lee: 212-345-6789 \n".into(),
        other: "{B}\nMia Fox: 998-765-4321 \n".into(),
        layer,
        ..AnalysisRequest::default()
    };
    let error = ask(&model, request("qk", 0)).unwrap_err();
    assert!(error.contains("layer 0") && error.contains("no query–key circuit"), "{error}");
    assert!(ask(&model, request("qk", 1)).is_ok());
    assert!(ask(&model, request("ov", 0)).is_ok() && ask(&model, request("spectrum", 0)).is_ok());

    // Row 0 are the heads of the convolution, which no pattern can be put into.
    let patched = &ask(&model, request("patch-patterns", 0)).unwrap()[0];
    assert!(patched.values[..2].iter().all(|value| value.is_nan()), "{:?}", patched.values);
    assert!(patched.values[2..].iter().all(|value| value.is_finite()), "{:?}", patched.values);
    let alone =
        Arc::new(block_on(Snapshot::read(&trainer_on(config("conv"), Device::flex()))).unwrap());
    let error = ask(&alone, request("patch-patterns", 0)).unwrap_err();
    assert!(error.contains("patch the heads"), "{error}");

    // Nothing can be composed with through keys of a convolution, but through its values.
    let reversed = trainer_on(config("conv,0:linear"), Device::flex());
    let reversed = Arc::new(block_on(Snapshot::read(&reversed)).unwrap());
    let composed = ask(&reversed, request("composition", 0)).unwrap();
    let has_number: Vec<bool> =
        composed.iter().map(|grid| grid.values.iter().any(|value| value.is_finite())).collect();
    assert_eq!(has_number, [false, false, true]);

    let site = |layer| ActivationIntervention {
        site: Site::Pattern { layer, head: 1 },
        positions: 0..usize::MAX,
        action: Action::Scale(0.0),
    };
    let edited = |layer| AnalysisRequest {
        interventions: vec![Intervention::Activation(site(layer))],
        ..request("edited", 0)
    };
    let error = ask(&model, edited(0)).unwrap_err();
    assert!(error.contains("L0H1 pattern") && error.contains("blocks.0.attn.conv.w"), "{error}");
    assert!(ask(&model, edited(1)).is_ok());
}
