//! Least squares from keys to values, of the mixers `intention` and `mesa`: outputs against their definition, both devices
//! beside each other, and what surgery keeps.

mod common;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use common::{LIMITS, apart, checkpoint, close, losses, numbers, read, small, trainer_on, webgpu};
use confab::arch::Layout;
use confab::checkpoint::Checkpoint;
use confab::config::{ModelConfig, RunConfig};
use confab::generate::{Decoder, read_back};
use confab::host::HostModel;
use confab::kernel::attention::Mask;
use confab::kernel::least_squares::{attend, follow};
use confab::kernel::transfer::floats;
use confab::model::untrained;
use confab::run::{ActivationIntervention, Operation, OperationKind};
use confab::surgery::operate;
use futures::executor::block_on;
use proptest::prelude::*;

/// The mixers, and the settings that choose them.
const MIXERS: [&[(&str, &str)]; 3] = [
    &[("model.mixer", "intention")],
    &[("model.mixer", "intention"), ("model.ridge_trained", "true")],
    &[("model.mixer", "mesa")],
];

/// `A⁻¹ B` of one head by elimination, with `A = Σ Γ k kᵀ + Γ α` and `B = Σ Γ k vᵀ`, where `Γ` is the product of γ after the
/// token, and of all for α.
fn regress(keys: &[Vec<f64>], values: &[Vec<f64>], gammas: &[f64], ridge: f64) -> Vec<Vec<f64>> {
    let d = keys[0].len();
    let mut rows = vec![vec![0.0; 2 * d]; d]; // A beside B
    let after = |token: usize| gammas[token..].iter().product::<f64>();
    for (at, row) in rows.iter_mut().enumerate() {
        row[at] = ridge * after(0);
        for (token, (key, value)) in keys.iter().zip(values).enumerate() {
            let weight = after(token + 1) * key[at];
            let both = row.iter_mut().zip(key.iter().chain(value));
            both.for_each(|(sum, x)| *sum += weight * x);
        }
    }
    for at in 0..d {
        let pivot = rows[at].clone();
        for (other, row) in rows.iter_mut().enumerate() {
            let share = row[at] / pivot[at];
            match other == at {
                true => row.iter_mut().for_each(|x| *x /= pivot[at]),
                false => row.iter_mut().zip(&pivot).for_each(|(x, pivot)| *x -= share * pivot),
            }
        }
    }
    rows.into_iter().map(|row| row[d..].to_vec()).collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn near(got: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    for (got, expected) in got.iter().zip(expected) {
        prop_assert!((f64::from(*got) - expected).abs() < 2e-4 * largest, "{got} and {expected}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_prompt_is_least_squares_wherever_it_is_cut(
        seq in 1usize..40,
        cut in 0usize..40,
        n_heads in 1usize..4,
        d_head in 1usize..6,
        log_ridge in -2.0f32..3.0,
        repeats in any::<bool>(),
        random in prop::collection::vec(-1.5f32..1.5, 1..200),
    ) {
        let number = |at: usize| random[at % random.len()] + (at % 7) as f32 / 10.0;
        let width = 3 * n_heads * d_head;
        // The same token again and again leaves all but one direction to the ridge.
        let qkv: Vec<f32> = (0..seq * width).map(|at| number(if repeats { at % width } else { at })).collect();
        let gamma: Vec<f32> = (0..seq * n_heads).map(|at| 1.0 - number(at).abs() / 100.0).collect();
        let whole = |from: usize, to: usize, state| {
            let device = Device::flex();
            let qkv = tensor(qkv[from * width..to * width].to_vec(), [1, to - from, width], &device);
            let gamma = gamma[from * n_heads..to * n_heads].to_vec();
            let gamma = tensor(gamma, [1, to - from, n_heads], &device);
            let ridge = tensor(vec![log_ridge; n_heads], [n_heads], &device);
            let (z, state) = follow(qkv, gamma, ridge, state);
            (floats(z.into_data()), state)
        };
        let (z, state) = whole(0, seq, None);
        let state = floats(state.into_data());
        for head in 0..n_heads {
            let part = |token: usize, part: usize| {
                let start = token * width + (part * n_heads + head) * d_head;
                qkv[start..start + d_head].iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()
            };
            let [keys, values] = [1, 2].map(|of| (0..seq).map(|token| part(token, of)).collect::<Vec<_>>());
            let gammas: Vec<f64> = (0..seq).map(|token| f64::from(gamma[token * n_heads + head])).collect();
            let up_to = |end: usize| {
                let ridge = f64::from(log_ridge).exp();
                regress(&keys[..end], &values[..end], &gammas[..end], ridge)
            };
            for token in 0..seq {
                let (weights, query) = (up_to(token + 1), part(token, 0));
                let told = |of: usize| query.iter().zip(&weights).map(|(q, row)| q * row[of]).sum();
                let expected: Vec<f64> = (0..d_head).map(told).collect();
                near(&z[(token * n_heads + head) * d_head..][..d_head], &expected)?;
            }
            let weights = (2 * head + 1) * d_head * d_head;
            near(&state[weights..weights + d_head * d_head], &up_to(seq).concat())?;
        }
        let cut = cut % seq;
        if cut > 0 {
            let (first, between) = whole(0, cut, None);
            let (rest, _) = whole(cut, seq, Some(between));
            near(&[first, rest].concat(), &z.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>())?;
        }
    }

    #[test]
    fn mesa_that_keeps_all_is_intention_with_its_ridge(
        n_heads in 1usize..4, d_head in 1usize..6, log_ridge in -4.0f64..4.0, seed in any::<u64>(),
        ids in prop::collection::vec(0u32..20, 1..40),
    ) {
        let model = |mixer: &str| ModelConfig {
            n_layers: 2,
            n_heads,
            d_model: n_heads * d_head,
            ridge: log_ridge.exp(),
            init_std: 0.5,
            mixer: confab::config::ByLayer::parse(mixer).unwrap(),
            ..ModelConfig::default()
        };
        let [intention, mesa] = ["intention", "mesa"].map(model);
        let [of_intention, of_mesa] = [&intention, &mesa].map(|model| Layout::new(model, 20));
        let parameters = untrained(&intention, &of_intention, seed);
        let mut same = untrained(&mesa, &of_mesa, seed);
        for parameter in of_mesa.parameters() {
            let own = &mut same[parameter.range.clone()];
            match (of_intention.find(parameter.name()), parameter.spec.own) {
                (Some(other), _) => own.copy_from_slice(&parameters[other.range.clone()]),
                (None, "W_gamma") => own.fill(0.0),
                (None, "b_gamma") => own.fill(40.0), // whose sigmoid is 1
                (None, _) => {}
            }
        }
        let [expected, got] = [
            HostModel::new(&intention, &of_intention, &parameters),
            HostModel::new(&mesa, &of_mesa, &same),
        ]
        .map(|host| host.record(&ids, &[]).logits);
        let largest = expected.iter().fold(1.0f32, |most, x| most.max(x.abs()));
        prop_assert!(apart(&expected, &got) < 1e-4 * largest);
    }
}

/// Outputs, and the gradients by each input, each output weighted by a number of its own, or by 0 if its token is hidden.
fn outputs_and_gradients(
    [qkv, gamma, log_ridge]: [Vec<f32>; 3],
    [batch, seq, n_heads]: [usize; 3],
    hidden: Option<&[bool]>,
    device: &Device,
) -> [Vec<f32>; 4] {
    let tracked = device.clone().autodiff();
    let width = qkv.len() / batch / seq;
    let qkv = tensor(qkv, [batch, seq, width], &tracked).require_grad();
    let gamma = tensor(gamma, [batch, seq, n_heads], &tracked).require_grad();
    let log_ridge = tensor(log_ridge, [n_heads], &tracked).require_grad();
    let mask = hidden.map(|hidden| {
        Tensor::<2, Bool>::from_data(TensorData::new(hidden.to_vec(), [batch, seq]), device)
    });
    let mask = Mask::causal(mask);
    let z = attend(qkv.clone(), gamma.clone(), log_ridge.clone(), &mask);
    // A token that is left out leaves the numbers of the others as they are.
    let mut weights = numbers(batch * seq * width / 3, 9).into_iter();
    let weight = |token: usize| -> Vec<f32> {
        match hidden.is_some_and(|hidden| hidden[token]) {
            true => vec![0.0; width / 3],
            false => weights.by_ref().take(width / 3).collect(),
        }
    };
    let weights: Vec<f32> = (0..batch * seq).flat_map(weight).collect();
    let weights = tensor(weights, [batch, seq, width / 3], &tracked);
    let gradients = (z.clone() * weights).sum().backward();
    [
        read(z.inner()),
        read(qkv.grad(&gradients).unwrap()),
        read(gamma.grad(&gradients).unwrap()),
        read(log_ridge.grad(&gradients).unwrap()),
    ]
}

/// Queries, keys and values, γ from 0.98 to 1, and logarithms of α from 0.01 on.
fn inputs(batch: usize, seq: usize, n_heads: usize, d_head: usize) -> [Vec<f32>; 3] {
    let tokens = batch * seq;
    let gamma = numbers(tokens * n_heads, 2).iter().map(|x| 0.99 + 0.01 * x).collect();
    let log_ridge = (0..n_heads).map(|head| head as f32 + 0.01f32.ln()).collect();
    [numbers(tokens * 3 * n_heads * d_head, 1), gamma, log_ridge]
}

#[test]
fn a_gpu_computes_outputs_and_gradients_as_the_cpu_does() {
    let gpu = webgpu();
    for (batch, seq, n_heads, d_head) in
        [(1, 1, 1, 1), (3, 9, 3, 2), (2, 65, 2, 16), (1, 129, 1, 64)]
    {
        let hidden: Vec<bool> = (0..batch * seq).map(|at| at % seq % 4 == 3).collect();
        for hidden in [None, Some(&hidden[..])] {
            let [expected, got] = [&Device::flex(), &gpu].map(|device| {
                let inputs = inputs(batch, seq, n_heads, d_head);
                outputs_and_gradients(inputs, [batch, seq, n_heads], hidden, device)
            });
            // That by γ is a sum over all later tokens, of which most cancels.
            let names = [
                ("outputs", 1e-4),
                ("by queries, keys and values", 1e-4),
                ("by γ", 1e-3),
                ("by ln α", 1e-4),
            ];
            for ((got, expected), (name, within)) in got.iter().zip(&expected).zip(names) {
                let what = format!("{name}, {n_heads} of {d_head}, {seq} tokens, {hidden:?}");
                close(got, expected, (within, 1e-3), &what);
            }
        }
    }
}

#[test]
fn a_hidden_token_is_as_if_it_were_not_there() {
    let (seq, n_heads, d_head) = (11, 2, 3);
    let [qkv, gamma, log_ridge] = inputs(1, seq, n_heads, d_head);
    let hidden: Vec<bool> = (0..seq).map(|token| [2, 3, 8].contains(&token)).collect();
    let shown = |of: &[f32]| -> Vec<f32> {
        let rows = of.chunks(of.len() / seq).zip(&hidden);
        rows.filter(|(_, hidden)| !**hidden).flat_map(|(row, _)| row.to_vec()).collect()
    };
    for device in [Device::flex(), webgpu()] {
        let inputs = [qkv.clone(), gamma.clone(), log_ridge.clone()];
        let got = outputs_and_gradients(inputs, [1, seq, n_heads], Some(&hidden), &device);
        let inputs = [shown(&qkv), shown(&gamma), log_ridge.clone()];
        let expected = outputs_and_gradients(inputs, [1, seq - 3, n_heads], None, &device);
        let [z, by_qkv, by_gamma, by_log_ridge] = &got;
        let got_shown = [shown(z), shown(by_qkv), shown(by_gamma), by_log_ridge.clone()];
        for (got, expected) in got_shown.iter().zip(&expected) {
            close(got, expected, (1e-5, 1e-3), "shown tokens");
        }
        for (token, _) in hidden.iter().enumerate().filter(|(_, hidden)| **hidden) {
            let row =
                |of: &[f32]| of[of.len() / seq * token..of.len() / seq * (token + 1)].to_vec();
            assert!([row(by_qkv), row(by_gamma)].concat().iter().all(|x| *x == 0.0));
        }
    }
}

fn config(changes: &[(&str, &str)]) -> RunConfig {
    small(
        &[&[("train.lr", "0.01"), ("train.steps", "30"), ("model.n_heads", "2")], changes].concat(),
    )
}

#[test]
fn it_learns_on_a_gpu_as_on_the_cpu() {
    let gpu = webgpu();
    for mixer in MIXERS {
        let [cpu, gpu] = [Device::flex(), gpu.clone()]
            .map(|device| losses(&mut trainer_on(config(mixer), device), 30));
        assert!(cpu[29] < 0.95 * cpu[0], "{mixer:?}: {cpu:?}");
        for (cpu, gpu) in cpu.iter().zip(&gpu) {
            assert!((cpu - gpu).abs() < 2e-3 * cpu, "{mixer:?}: {cpu} and {gpu}");
        }
    }
}

#[test]
fn a_long_text_of_one_token_is_decoded_as_it_is_read() {
    for mixer in MIXERS {
        let trainer = trainer_on(config(mixer), Device::flex());
        let ids = vec![5u32; 60];
        let mut decoder = Decoder::in_loops(trainer.model());
        let decoded = block_on(decoder.decode(&ids)).unwrap();
        let recorded = block_on(read_back(trainer.model())).unwrap().record(&ids, &[]);
        let vocabulary = trainer.tokenizer.vocab_size();
        let last = &recorded.logits[recorded.logits.len() - vocabulary..];
        assert!(apart(&decoded, last) < 1e-4, "{mixer:?}");
    }
}

#[test]
fn surgery_takes_the_ridge_and_the_forgetting_of_each_head_along() {
    let mut trainer =
        trainer_on(config(&[("model.mixer", "mesa"), ("model.n_heads", "4")]), Device::flex());
    losses(&mut trainer, 20);
    let before = checkpoint(&trainer);
    let host = |of: &Checkpoint| {
        let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
        HostModel::new(&of.config.model, &layout, &of.parameters)
    };
    let operated = |kind, number| {
        host(&operate(&before, Operation { kind, number }, &LIMITS, &|_| None).unwrap())
    };
    let ids: Vec<u32> = (0..30).map(|at| at * 7 % 50).collect();
    let expected = host(&before).record(&ids, &[]).logits;
    for (kind, number) in
        [(OperationKind::AddHeads, 2), (OperationKind::AddLayer, 1), (OperationKind::Widen, 2)]
    {
        assert!(
            apart(&operated(kind, number).record(&ids, &[]).logits, &expected) < 1e-5,
            "{kind:?}"
        );
    }
    let dropped = operated(OperationKind::DropHead, 0).record(&ids, &[]).logits;
    let first = (0..before.config.model.n_layers).map(|layer| format!("L{layer}H0"));
    let off = first.map(|head| ActivationIntervention::parse(&head, 0.0).unwrap()).collect();
    let ablated = host(&before).ablate(off).record(&ids, &[]).logits;
    assert!(apart(&ablated, &expected) > 1e-3);
    assert!(apart(&dropped, &ablated) < 1e-5);
}
