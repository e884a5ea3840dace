//! Fused operations against the same in plain tensor operations, forward and every gradient.

mod common;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use confab::arch::Layout;
use confab::arch::mixer::FeatureMap;
use confab::config::{ModelConfig, RunConfig};
use confab::kernel::attention::Mask;
use confab::kernel::dropout::Dropout;
use confab::kernel::empty::dispatch;
use confab::kernel::layer_norm::Scaling;
use confab::kernel::linear::Linear;
use confab::kernel::linear::gpu::half::Half;
use confab::kernel::linear::gpu::{Product, Then};
use confab::kernel::{
    attention, cross_entropy, embedding, gelu, layer_norm, linear, linear_attention,
};
use confab::model::Weights;
use futures::executor::block_on;

use common::{close, losses, numbers, read, trainer_on, webgpu};

/// Largest relative error, in norm. What is nearly 0, as the gradient by the query of one key, is rounding on both
/// sides.
const TOLERANCE: (f32, f32) = (1e-5, 1e-1);

/// A leaf of the gradient graph.
fn leaf<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &device.clone().autodiff()).require_grad()
}

/// Compares the outputs of two functions of `inputs`, and the gradients by every input, each
/// output weighted by a number of its own.
fn same<const D: usize, const N: usize>(
    inputs: &[Tensor<D>; N],
    [fused, reference]: [&dyn Fn([Tensor<D>; N]) -> Tensor<D>; 2],
    what: &str,
) {
    let [(got, got_by), (expected, expected_by)] = [fused, reference].map(|of| {
        let output = of(inputs.clone());
        let weights = leaf(output.dims(), 99, &output.device().inner()).detach();
        let gradients = (output.clone() * weights).sum().backward();
        let by_input = inputs.each_ref().map(|input| read(input.grad(&gradients).unwrap()));
        (read(output.inner()), by_input)
    });
    close(&got, &expected, TOLERANCE, what);
    for (input, (got, expected)) in got_by.iter().zip(&expected_by).enumerate() {
        close(got, expected, TOLERANCE, &format!("{what}, gradient by input {input}"));
    }
}

/// Every seventh token and a random fifth of the others, but not the first.
fn hidden(batch: usize, seq: usize, device: &Device) -> Tensor<2, Bool> {
    let random = numbers(batch * seq, 5);
    let is_hidden =
        |at: usize| !at.is_multiple_of(seq) && (at.is_multiple_of(7) || random[at] > 0.6);
    let hidden: Vec<bool> = (0..batch * seq).map(is_hidden).collect();
    Tensor::from_data(TensorData::new(hidden, [batch, seq]), device)
}

fn check_attention(device: &Device) {
    let batch = 3;
    for (n_heads, d_head) in [(3, 1), (16, 2), (2, 3), (4, 4), (1, 64)] {
        for seq in [1, 7, 16, 65] {
            for (hides, p, window) in [
                (false, 0.0, None),
                (true, 0.0, None),
                (true, 0.3, None),
                (false, 0.0, Some(1)),
                (false, 0.3, Some(17)),
                (true, 0.3, Some(2)), // in some places, of hidden tokens alone
                (true, 0.0, Some(20)),
                (false, 0.0, Some(64)),
            ] {
                // What a window cuts off takes several blocks of queries and keys.
                if window.is_some() && seq < 65 {
                    continue;
                }
                let what = format!(
                    "{n_heads} of {d_head}, {seq} tokens, hidden: {hides}, p {p}, window {window:?}"
                );
                let hidden = hides.then(|| hidden(batch, seq, device));
                let mask = Mask::causal(hidden);
                let dropout = Dropout::new(p, 17).site(3);
                let qkv = leaf([batch, seq, 3 * n_heads * d_head], 1, device);
                let of = |f: fn(Tensor<3>, usize, Option<usize>, &Mask, Dropout) -> Tensor<3>| {
                    let mask = mask.clone();
                    move |[x]: [Tensor<3>; 1]| f(x.mul_scalar(2.0), n_heads, window, &mask, dropout)
                };
                same(&[qkv], [&of(attention::attend), &of(attention::reference)], &what);
            }
        }
    }
}

#[test]
fn the_share_that_is_dropped_is_set_to_0_and_the_mean_kept() {
    let of = |seed| Dropout::new(0.25, seed);
    let factors: Vec<f32> = (0..100_000).map(|place| of(1).factor(place)).collect();
    let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
    assert!((24_500..25_500).contains(&dropped), "{dropped} of 100,000 with p = 0.25");
    assert!(factors.iter().all(|factor| [0.0, 4.0 / 3.0].contains(factor)));
    for other in [of(2), of(1).site(1)] {
        let same = (0..100_000).filter(|place| other.factor(*place) == factors[*place as usize]);
        let expected = 100_000.0 * (0.25f64.powi(2) + 0.75f64.powi(2));
        assert!((same.count() as f64 - expected).abs() < 1000.0, "as if drawn anew");
    }
}

#[test]
fn attention_is_the_reference_on_the_cpu() {
    check_attention(&Device::flex());
}

#[test]
fn attention_is_the_reference_on_webgpu() {
    check_attention(&webgpu());
}

fn check_linear_attention(device: &Device) {
    for map in [FeatureMap::Elu, FeatureMap::Identity] {
        for (n_heads, d_head) in [(1, 1), (3, 2), (2, 8), (1, 64)] {
            for (seq, hides) in [(1, false), (7, true), (65, false), (65, true)] {
                let what = format!("{map:?}, {n_heads} of {d_head}, {seq} tokens, hidden: {hides}");
                let mask = Mask::causal(hides.then(|| hidden(3, seq, device)));
                let qkv = leaf([3, seq, 3 * n_heads * d_head], 1, device);
                let of = |f: fn(Tensor<3>, usize, FeatureMap, &Mask) -> Tensor<3>| {
                    let mask = mask.clone();
                    move |[x]: [Tensor<3>; 1]| f(x.mul_scalar(2.0), n_heads, map, &mask)
                };
                let (fused, reference) = (linear_attention::attend, linear_attention::reference);
                same(&[qkv], [&of(fused), &of(reference)], &what);
            }
        }
    }
}

#[test]
fn linear_attention_is_the_reference_on_the_cpu() {
    check_linear_attention(&Device::flex());
}

#[test]
fn linear_attention_is_the_reference_on_webgpu() {
    check_linear_attention(&webgpu());
}

#[test]
fn gelu_is_the_reference_on_the_cpu() {
    let x = leaf([3, 7, 129], 1, &Device::flex()).mul_scalar(6.0);
    let x = Tensor::from_inner(x.inner()).require_grad();
    let of = |f: fn(Tensor<3>) -> Tensor<3>| move |[x]: [Tensor<3>; 1]| f(x);
    same(&[x], [&of(gelu::gelu), &of(gelu::reference)], "gelu");
}

fn check_cross_entropy(device: &Device) {
    for (seq, vocab) in [(1, 2), (7, 5), (65, 81), (150, 16)] {
        let what = format!("{seq} tokens of {vocab}");
        let logits = leaf([3, seq, vocab], 1, device);
        let ids: Vec<i32> = (0..3 * seq).map(|at| (at * 7 % vocab) as i32).collect();
        let ids =
            Tensor::<2, Int>::from_data(TensorData::new(ids, [3, seq]), &device.clone().autodiff());
        let of = |f: fn(Tensor<3>, Tensor<2, Int>) -> Tensor<2>| {
            let ids = ids.clone();
            move |[x]: [Tensor<3>; 1]| f(x.mul_scalar(9.0), ids.clone()).unsqueeze::<3>()
        };
        same(&[logits], [&of(cross_entropy::token_losses), &of(cross_entropy::reference)], &what);
        let weights: Vec<f32> = (0..3 * seq).map(|at| f32::from(at % 3 != 1)).collect();
        let weights = Tensor::<2>::from_data(TensorData::new(weights, [3, seq]), device);
        let weights = Tensor::from_inner(weights);
        let whole = (0..3 * seq).filter(|at| at % 3 != 1).count() as f64;
        let of = |f: fn(Tensor<2>, Tensor<2>, f64, f64) -> Tensor<1>| {
            let weights = weights.clone();
            move |[x]: [Tensor<2>; 1]| f(x, weights.clone(), whole, 0.25).unsqueeze::<2>()
        };
        let losses = leaf([3, seq], 2, device);
        same(&[losses], [&of(cross_entropy::mean_loss), &of(cross_entropy::mean_reference)], &what);
    }
}

#[test]
fn cross_entropy_is_the_reference_on_the_cpu() {
    check_cross_entropy(&Device::flex());
}

#[test]
fn cross_entropy_is_the_reference_on_webgpu() {
    check_cross_entropy(&webgpu());
}

/// Compares two functions of a model's parameters, and the gradients by every parameter.
fn same_of_weights(
    layout: &Layout,
    device: &Device,
    [fused, reference]: [&dyn Fn(&Weights) -> Tensor<3>; 2],
    what: &str,
) {
    let flat = numbers(layout.len(), 3);
    let flat = Tensor::from_data(TensorData::new(flat, [layout.len()]), device);
    let [(got, got_by), (expected, expected_by)] = [fused, reference].map(|of| {
        let mut weights = Weights::trainable(layout, &flat);
        let output = of(&weights);
        let factors = leaf(output.dims(), 99, &output.device().inner()).detach();
        weights.backward(&(output.clone() * factors).sum());
        (read(output.inner()), read(weights.into_gradient()))
    });
    close(&got, &expected, TOLERANCE, what);
    for parameter in layout.parameters() {
        let range = parameter.range.clone();
        let what = format!("{what}, gradient by {}", parameter.name());
        close(&got_by[range.clone()], &expected_by[range], TOLERANCE, &what);
    }
}

/// Two rows of what stands for tokens, whose gradient is that of a parameter.
fn tokens_of(weights: &Weights) -> Tensor<3> {
    let w_pos = weights.matrix("pos_embed.W_pos");
    let [tokens, d_model] = w_pos.shape();
    w_pos.tensor().mul_scalar(3.0).add_scalar(0.5).reshape([2, tokens / 2, d_model])
}

/// LayerNorm, linear layers in all their uses, and embedding.
fn check_layers(device: &Device) {
    let shapes = [
        (1, 2, 5, true),
        (3, 14, 7, false),
        (8, 64, 13, true),
        (33, 6, 70, true),
        (70, 130, 3, true),
    ];
    for (d_model, context, vocab, bias) in shapes {
        let config = ModelConfig {
            n_layers: 1,
            n_heads: 1,
            d_model,
            context,
            bias,
            tied_head: true,
            ..Default::default()
        };
        let layout = Layout::new(&config, vocab);
        let shape = format!("{d_model} wide, {context} tokens, bias: {bias}");
        macro_rules! compare {
            ($of:literal, $fused:expr, $reference:expr $(,)?) => {
                let what = format!("{}, {shape}", $of);
                same_of_weights(&layout, device, [&$fused, &$reference], &what);
            };
        }

        let norm = |weights: &Weights| {
            let [w, b] = ["w", "b"].map(|of| weights.vector(&format!("blocks.0.ln1.{of}")));
            (w.unwrap(), b)
        };
        for (is_centred, epsilon) in [(true, 1e-5), (false, 1e-3)] {
            let scaling = Scaling { is_centred, epsilon };
            compare!(
                "a norm",
                |weights: &Weights| {
                    let (w, b) = norm(weights);
                    layer_norm::normalize(tokens_of(weights), &w, b.as_ref(), scaling)
                },
                |weights: &Weights| {
                    let (w, b) = norm(weights);
                    let b = b.map(|b| b.tensor());
                    layer_norm::reference(tokens_of(weights), w.tensor(), b, scaling)
                },
            );
        }

        let qkv = |weights: &Weights| ["Q", "K", "V"].map(|of| weights.linear("blocks.0.attn", of));
        compare!(
            "queries, keys and values",
            |weights: &Weights| Linear::side_by_side(qkv(weights).each_ref(), tokens_of(weights)),
            |weights: &Weights| linear::reference(qkv(weights).each_ref(), tokens_of(weights)),
        );

        let mlp = |weights: &Weights| ["in", "out"].map(|of| weights.linear("blocks.0.mlp", of));
        compare!(
            "the feed-forward layer",
            |weights: &Weights| {
                let (x, [w_in, w_out]) = (tokens_of(weights), mlp(weights));
                w_out.add(w_in.apply_gelu(x.clone()), x, Dropout::NONE)
            },
            |weights: &Weights| {
                let (x, [w_in, w_out]) = (tokens_of(weights), mlp(weights));
                let hidden = gelu::reference(linear::reference([&w_in], x.clone()));
                x + linear::reference([&w_out], hidden)
            },
        );

        let w_e = |weights: &Weights| weights.matrix("embed.W_E");
        compare!(
            "unembedding",
            |weights: &Weights| Linear::unembed(&w_e(weights), tokens_of(weights)),
            |weights: &Weights| {
                let w_u = w_e(weights).tensor().transpose().unsqueeze::<3>();
                tokens_of(weights).matmul(w_u.expand([2, d_model, vocab]))
            },
        );

        let seq = context / 2;
        let ids: Vec<i32> = (0..3 * seq).map(|at| (at * at % vocab) as i32).collect();
        let ids =
            Tensor::<2, Int>::from_data(TensorData::new(ids, [3, seq]), &device.clone().autodiff());
        for has_places in [true, false] {
            let w_pos = |weights: &Weights| has_places.then(|| weights.matrix("pos_embed.W_pos"));
            compare!(
                "embedding",
                |weights: &Weights| {
                    embedding::embed(ids.clone(), &w_e(weights), w_pos(weights).as_ref(), 1)
                },
                |weights: &Weights| {
                    let w_pos = w_pos(weights).map(|w_pos| w_pos.tensor());
                    embedding::reference(ids.clone(), w_e(weights).tensor(), w_pos, 1)
                },
            );
        }
    }
}

#[test]
fn layers_are_the_reference_on_the_cpu() {
    check_layers(&Device::flex());
}

#[test]
fn layers_are_the_reference_on_webgpu() {
    check_layers(&webgpu());
}

/// Numbers of 16 bits have 11 that count (IEEE's) or 8 (bfloat16's).
#[test]
fn large_products_in_half_precision_differ_from_the_reference_by_their_rounding() {
    let (device, d_model, tokens) = (webgpu(), 256, 300);
    let config = ModelConfig {
        n_layers: 1,
        n_heads: 1,
        d_model,
        context: tokens,
        bias: true,
        ..Default::default()
    };
    let layout = Layout::new(&config, 5);
    let flat = numbers(layout.len(), 3);
    let flat = Tensor::from_data(TensorData::new(flat, [layout.len()]), &device);
    // As a mean over many tokens has them: too small for IEEE's half.
    let factors = leaf([2, tokens / 2, 4 * d_model], 99, &device).inner().mul_scalar(1e-7);
    let outcome = |of: &dyn Fn(&Linear, Tensor<3>) -> Tensor<3>| {
        let mut weights = Weights::trainable(&layout, &flat);
        let hidden = of(&weights.linear("blocks.0.mlp", "in"), tokens_of(&weights));
        let factors = Tensor::from_inner(factors.clone());
        weights.backward(&(hidden.clone() * factors).sum());
        (read(hidden.inner()), read(weights.into_gradient()))
    };
    let expected = outcome(&|linear, x| gelu::reference(linear::reference([linear], x)));
    let got = outcome(&|linear, x| {
        let product = Product::of(&[linear]).expect("it is on a GPU").in_half(Half::Ieee);
        product.apply(x, Then::Gelu)
    });
    for (what, got, expected) in [("value", &got.0, &expected.0), ("gradient", &got.1, &expected.1)]
    {
        let norm =
            |of: &mut dyn Iterator<Item = f32>| of.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let off = norm(&mut got.iter().zip(expected).map(|(a, b)| a - b));
        let off = (off / norm(&mut expected.iter().copied())).sqrt();
        assert!((1e-5..2e-3).contains(&off), "{what}: off by {off} of its norm");
    }
}

fn thirty_steps(dropout: f64) {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.model.context = 96;
    config.model.d_model = 6;
    config.model.bias = true;
    config.model.dropout = dropout;
    config.train.batch = 3;
    config.train.steps = 30;
    config.train.warmup = 2;
    let losses_on = |device| losses(&mut trainer_on(config.clone(), device), 30);
    let (cpu, gpu) = (losses_on(Device::flex()), losses_on(webgpu()));
    for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
        assert!((cpu - gpu).abs() < 1e-3, "step {step}: {cpu} and {gpu}");
    }
}

#[test]
fn thirty_steps_lose_the_same_on_the_cpu_and_on_webgpu() {
    thirty_steps(0.0);
}

#[test]
fn with_dropout_too() {
    thirty_steps(0.2);
}

#[test]
fn empty_dispatches_are_all_done() {
    assert_eq!(block_on(dispatch(&webgpu(), 46)).unwrap(), 46.0);
}
