//! The delta rule: outputs and states against its recurrence, and training on both devices.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{losses, small, trainer_on, webgpu};
use confab::config::{ByLayer, RunConfig};
use confab::generate::{Decoder, read_back};
use confab::kernel::delta::follow;
use confab::kernel::transfer::floats;
use futures::executor::block_on;
use proptest::prelude::*;

/// `S_t = S_{t−1} + β_t k_t (v_t − S_{t−1}ᵀ k_t)ᵀ`, `z_t = S_tᵀ q_t` of one head, token by token in 64 bits: outputs, and the
/// state after them.
fn recurrence(tokens: &[[Vec<f64>; 3]], betas: &[f64], d_head: usize) -> (Vec<f64>, Vec<f64>) {
    let unit = |x: &[f64]| -> Vec<f64> {
        let x: Vec<f64> = x.iter().map(|x| x / (1.0 + (-x).exp())).collect();
        let length = (x.iter().map(|x| x * x).sum::<f64>() + 1e-6).sqrt();
        x.iter().map(|x| x / length).collect()
    };
    let mut state = vec![0.0; d_head * d_head];
    let mut outputs = Vec::new();
    for ([q, k, v], beta) in tokens.iter().zip(betas) {
        let (q, k) = (unit(q), unit(k));
        let told = |state: &[f64], by: &[f64], of: usize| -> f64 {
            (0..d_head).map(|key| by[key] * state[key * d_head + of]).sum()
        };
        let wrong: Vec<f64> = (0..d_head).map(|of| v[of] - told(&state, &k, of)).collect();
        for key in 0..d_head {
            for of in 0..d_head {
                state[key * d_head + of] += beta * k[key] * wrong[of];
            }
        }
        outputs.extend((0..d_head).map(|of| told(&state, &q, of)));
    }
    (outputs, state)
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn close(got: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        prop_assert!((f64::from(*got) - expected).abs() < 2e-4, "{got} and {expected}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_prompt_is_the_recurrence_wherever_it_is_cut(
        seq in 1usize..70,
        cut in 0usize..70,
        n_heads in 1usize..4,
        d_head in 1usize..6,
        repeats in any::<bool>(),
        numbers in prop::collection::vec(-3.0f32..3.0, 1..200),
    ) {
        let number = |at: usize| numbers[at % numbers.len()] + (at % 7) as f32 / 10.0;
        let width = 3 * n_heads * d_head;
        // The same token again and again is what corrections are hardest to tell apart in.
        let qkv: Vec<f32> = (0..seq * width).map(|at| number(if repeats { at % width } else { at })).collect();
        let beta: Vec<f32> = (0..seq * n_heads).map(|at| 1.0 / (1.0 + (-number(at)).exp())).collect();
        let whole = |from: usize, to: usize, state| {
            let (qkv, beta) = (&qkv[from * width..to * width], &beta[from * n_heads..to * n_heads]);
            let qkv = tensor(qkv.to_vec(), [1, to - from, width]);
            follow(qkv, tensor(beta.to_vec(), [1, to - from, n_heads]), state)
        };
        let (z, state) = whole(0, seq, None);
        let (z, state) = (floats(z.into_data()), floats(state.into_data()));
        for head in 0..n_heads {
            let part = |token: usize, part: usize| {
                let start = token * width + (part * n_heads + head) * d_head;
                qkv[start..start + d_head].iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()
            };
            let tokens: Vec<[Vec<f64>; 3]> = (0..seq).map(|token| [0, 1, 2].map(|of| part(token, of))).collect();
            let betas: Vec<f64> = (0..seq).map(|token| f64::from(beta[token * n_heads + head])).collect();
            let (expected, after) = recurrence(&tokens, &betas, d_head);
            let own = z.chunks(n_heads * d_head).flat_map(|row| &row[head * d_head..][..d_head]);
            close(&own.copied().collect::<Vec<f32>>(), &expected)?;
            close(&state[head * d_head * d_head..][..d_head * d_head], &after)?;
        }
        let cut = cut % seq;
        if cut > 0 {
            let (first, state_between) = whole(0, cut, None);
            let (rest, after) = whole(cut, seq, Some(state_between));
            let both = [floats(first.into_data()), floats(rest.into_data())].concat();
            close(&both, &z.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>())?;
            close(&floats(after.into_data()), &state.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>())?;
        }
    }
}

fn config() -> RunConfig {
    let mut config = small(&[("train.lr", "0.01"), ("train.steps", "30")]);
    config.model.mixer = ByLayer::parse("delta").unwrap();
    config
}

#[test]
fn it_learns_on_a_gpu_as_on_the_cpu() {
    let [cpu, gpu] =
        [Device::flex(), webgpu()].map(|device| losses(&mut trainer_on(config(), device), 30));
    assert!(cpu[29] < 0.95 * cpu[0], "{cpu:?}");
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert!((cpu - gpu).abs() < 2e-3 * cpu, "{cpu} and {gpu}");
    }
}

#[test]
fn a_long_text_of_one_token_is_decoded_as_it_is_read() {
    let trainer = trainer_on(config(), Device::flex());
    let ids = vec![5u32; 60];
    let mut decoder = Decoder::in_loops(trainer.model());
    let decoded = block_on(decoder.decode(&ids)).unwrap();
    let recorded = block_on(read_back(trainer.model())).unwrap().record(&ids, &[]);
    let vocabulary = trainer.tokenizer.vocab_size();
    let last = &recorded.logits[recorded.logits.len() - vocabulary..];
    for (decoded, recorded) in decoded.iter().zip(last) {
        assert!((decoded - recorded).abs() < 1e-4, "{decoded} and {recorded}");
    }
}
