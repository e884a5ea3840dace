//! Fused operations against the same in plain tensor operations, forward and every gradient.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use confab::config::{MemoryLimits, RunConfig};
use confab::kernel::attention::{self, Mask};
use confab::kernel::{cross_entropy, gelu, layer_norm};
use confab::platform;
use confab::protocol::DeviceChoice;
use confab::trainer::Trainer;
use futures::executor::block_on;

/// Largest relative error, in norm.
const TOLERANCE: f32 = 1e-5;

/// Numbers that look random, the same for the same `seed`: of mean 0 and variance 1/3.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A leaf of the gradient graph.
fn leaf<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &device.clone().autodiff()).require_grad()
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn close(got: &[f32], expected: &[f32], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let norm = |v: Vec<f32>| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let difference = norm(got.iter().zip(expected).map(|(a, b)| a - b).collect());
    let expected = norm(expected.to_vec());
    // What is nearly 0, as the gradient by the query of one key, is rounding on both sides.
    assert!(difference <= TOLERANCE * expected.max(1e-1), "{what}: {difference} of {expected}");
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
    close(&got, &expected, what);
    for (input, (got, expected)) in got_by.iter().zip(&expected_by).enumerate() {
        close(got, expected, &format!("{what}, gradient by input {input}"));
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
            for hides in [false, true] {
                let what = format!("{n_heads} heads of {d_head}, {seq} tokens, hidden: {hides}");
                let hidden = hides.then(|| hidden(batch, seq, device));
                let mask = Mask::causal(seq, hidden, &device.clone().autodiff());
                let input = |seed| leaf([batch, seq, n_heads * d_head], seed, device);
                let attend = |[q, k, v]: [Tensor<3>; 3]| {
                    attention::attend(q.mul_scalar(4.0), k, v, n_heads, Some(&mask), 0.0)
                };
                let reference = |[q, k, v]: [Tensor<3>; 3]| {
                    attention::reference(q.mul_scalar(4.0), k, v, n_heads, Some(&mask), 0.0)
                };
                same(&[1, 2, 3].map(input), [&attend, &reference], &what);
            }
        }
    }
}

#[test]
fn fused_attention_is_the_reference_on_the_cpu() {
    check_attention(&Device::flex());
}

#[test]
fn fused_gelu_is_the_reference_on_the_cpu() {
    let x = leaf([3, 7, 129], 1, &Device::flex()).mul_scalar(6.0);
    let x = Tensor::from_inner(x.inner()).require_grad();
    let of = |f: fn(Tensor<3>) -> Tensor<3>| move |[x]: [Tensor<3>; 1]| f(x);
    same(&[x], [&of(gelu::gelu), &of(gelu::reference)], "gelu");
}

#[test]
fn fused_layer_norm_is_the_reference_on_the_cpu() {
    let device = Device::flex();
    for (tokens, width) in [(1, 1), (7, 3), (65, 4), (300, 16), (33, 70)] {
        let shape = [2, tokens, width];
        let (x, w) = (leaf(shape, 1, &device), leaf([1, 1, width], 2, &device));
        let of = |f: fn(Tensor<3>, Tensor<1>) -> Tensor<3>| {
            move |[x, w]: [Tensor<3>; 2]| f(x.mul_scalar(5.0).add_scalar(2.0), w.reshape([-1]))
        };
        let what = format!("{shape:?}");
        same(&[x, w], [&of(layer_norm::normalize), &of(layer_norm::reference)], &what);
    }
}

#[test]
fn fused_cross_entropy_is_the_reference_on_the_cpu() {
    let device = Device::flex();
    for (seq, vocab) in [(1, 2), (7, 5), (65, 81), (150, 16)] {
        let logits = leaf([3, seq, vocab], 1, &device);
        let ids: Vec<i32> = (0..3 * seq).map(|at| (at * 7 % vocab) as i32).collect();
        let ids =
            Tensor::<2, Int>::from_data(TensorData::new(ids, [3, seq]), &device.clone().autodiff());
        let of = |f: fn(Tensor<3>, Tensor<2, Int>) -> Tensor<2>| {
            let ids = ids.clone();
            move |[x]: [Tensor<3>; 1]| f(x.mul_scalar(9.0), ids.clone()).unsqueeze::<3>()
        };
        let what = format!("{seq} tokens of {vocab}");
        same(&[logits], [&of(cross_entropy::token_losses), &of(cross_entropy::reference)], &what);
    }
}

#[test]
fn thirty_steps_on_the_cpu_lose_as_in_plain_operations() {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.model.context = 96;
    config.model.d_model = 6;
    config.model.bias = true;
    config.train.batch = 3;
    config.train.steps = 30;
    config.train.warmup = 2;
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX, keeps_patterns: true };
    let losses = |device| {
        let mut trainer = Trainer::new(config.clone(), device, &limits).unwrap();
        let step = |_| block_on(trainer.step()).unwrap().loss.train_loss;
        (0..30).map(step).collect::<Vec<f32>>()
    };
    // A GPU has no fused operations.
    let (fused, plain) = (losses(Device::flex()), losses(webgpu()));
    for (step, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
        assert!((fused - plain).abs() < 1e-3, "step {step}: {fused} and {plain}");
    }
}

/// A GPU's kernels; on a machine without one, those of a software driver.
fn webgpu() -> Device {
    let opened = block_on(platform::open(DeviceChoice::Webgpu));
    opened.expect("`./dev test` installs a software driver where there is no GPU").0.device
}
