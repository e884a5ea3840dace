//! Writing a token at a time against the model's forward pass over all of them.

mod common;

use burn::tensor::Device;
use confab::config::{ByLayer, MixerKind, MlpKind, NormKind, Positions, RunConfig};
use confab::generate::{Decoder, read_back, surprisal};
use confab::host::Cache;
use confab::learn::Trainer;
use confab::run::ActivationIntervention;
use futures::executor::block_on;
use proptest::prelude::*;

use common::{logits_of, trainer_on, webgpu};

fn trainer(device: Device, change: impl FnOnce(&mut RunConfig)) -> Trainer {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.model.context = 96;
    change(&mut config);
    let mut trainer = trainer_on(config, device);
    // Larger weights, so that patterns are far from even and every part tells.
    let model = &mut trainer.learner.model;
    model.parameters = model.parameters.clone().mul_scalar(4.0).add_scalar(0.05);
    trainer
}

/// Decodes `prompt`, and then what follows a token at a time, which is to give the logits of all
/// tokens at once.
fn check(
    trainer: &Trainer,
    mut decoder: Decoder,
    prompt: &[u32],
    more: &[u32],
) -> Result<(), TestCaseError> {
    let mut ids: Vec<u32> = Vec::new();
    for next in std::iter::once(prompt).chain(more.chunks(1)) {
        ids.extend(next);
        let got = block_on(decoder.decode(next)).unwrap();
        let logits = logits_of(trainer.model(), &ids);
        let expected = &logits[logits.len() - trainer.tokenizer.vocab_size()..];
        let largest = expected.iter().fold(1.0f32, |most, x| most.max(x.abs()));
        prop_assert_eq!(got.len(), expected.len());
        for (a, b) in got.iter().zip(expected) {
            prop_assert!((a - b).abs() < 1e-4 * largest, "{} and {}", a, b);
        }
        prop_assert_eq!(decoder.len(), ids.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn plain_loops_give_the_logits_of_the_model(
        n_layers in 1..4usize, n_heads in 1..5usize, d_head in 1..9usize,
        tied_head in any::<bool>(), bias in any::<bool>(),
        prompt in prop::collection::vec(0..60u32, 1..40), more in prop::collection::vec(0..60u32, 0..6),
    ) {
        let trainer = trainer(Device::flex(), |config| {
            let d_model = n_heads * d_head;
            config.model = confab::config::ModelConfig {
                n_layers, n_heads, d_model, tied_head, bias, ..config.model.clone()
            };
        });
        check(&trainer, Decoder::in_loops(trainer.model()), &prompt, &more)?;
    }
}

#[test]
fn a_gpu_gives_the_logits_of_the_model() {
    let device = webgpu();
    for (n_heads, d_head, is_llama, feedback, prompt) in [
        (3, 5, false, false, 1),
        (1, 70, false, false, 9),
        (2, 4, false, false, 80),
        (4, 2, true, false, 9),
        (4, 2, true, true, 9),
    ] {
        let trainer = trainer(device.clone(), |config| {
            config.model.feedback = feedback;
            config.model.n_heads = n_heads;
            config.model.d_model = n_heads * d_head;
            if is_llama {
                config.model.norm = NormKind::Rms;
                config.model.mlp = MlpKind::Swiglu;
                config.model.positions = Positions::Rotary;
                config.model.kv_heads = 2;
                config.model.d_head = 6;
                config.model.qk_norm = true;
            }
        });
        let prompt: Vec<u32> = (0..prompt).map(|at| at * 7 % 60).collect();
        check(&trainer, Decoder::on_gpu(trainer.model()), &prompt, &[3, 1, 4, 1, 5]).unwrap();
        check(&trainer, Decoder::in_loops(trainer.model()), &prompt, &[9, 2]).unwrap();
    }
}

#[test]
fn linear_attention_decodes_in_a_state_of_one_size() {
    let of = |mixer: ByLayer<MixerKind>| {
        trainer(Device::flex(), |config| {
            // Without keys there is nothing that rotary positions turn.
            if !mixer.is_all(MixerKind::Conv, 2) {
                config.model.positions = Positions::Rotary;
            }
            config.model.mixer = mixer.clone();
            config.model.n_layers = 2;
            config.model.head_gates = true;
        })
    };
    let prompt: Vec<u32> = (0..9).map(|at| at * 7 % 60).collect();
    let numbers = |run: &Trainer, tokens: usize| {
        let (host, mut cache) = (block_on(read_back(run.model())).unwrap(), Cache::default());
        for id in 0..tokens {
            host.decode(&[id as u32 % 60], &mut cache);
        }
        assert_eq!(run.config.model.state_bytes(tokens), 4 * cache.numbers());
        cache.numbers()
    };
    let device = webgpu();
    for mixer in [
        "linear",
        "linear-identity",
        "delta",
        "intention",
        "mesa",
        "conv",
        "0:conv,1:linear",
        "1:linear",
    ] {
        let run = of(ByLayer::parse(mixer).unwrap());
        check(&run, Decoder::in_loops(run.model()), &prompt, &[3, 1, 4, 1, 5]).unwrap();
        check(&run, Decoder::in_loops(run.model()), &prompt[..1], &[3, 1, 4]).unwrap();
        let of_nothing = block_on(read_back(run.model())).unwrap().record(&[], &[]);
        assert!(of_nothing.logits.is_empty());
        let is_constant = numbers(&run, 1) == numbers(&run, 60);
        assert_eq!(is_constant, mixer != "1:linear", "{mixer}");
        let on_gpu = trainer(device.clone(), |config| config.model = run.config.model.clone());
        check(&on_gpu, Decoder::on_gpu(on_gpu.model()), &prompt, &[3, 1, 4, 1, 5]).unwrap();
    }
    let softmax = of(MixerKind::Softmax.into());
    assert_eq!(60 * numbers(&softmax, 1), numbers(&softmax, 60));
    // A window of 16 needs the 15 tokens before the next one.
    let window = of(MixerKind::Window.into());
    assert_eq!(15 * numbers(&window, 1), numbers(&window, 60));
}

#[test]
fn a_window_is_decoded_beyond_its_length() {
    let on = |device: Device, window: usize| {
        trainer(device, |config| {
            config.model.mixer = ByLayer::parse("0:window,1:softmax").unwrap();
            (config.model.window, config.model.n_layers) = (window, 2);
            (config.model.positions, config.model.xpos_base) = (Positions::Xpos, 16.0);
        })
    };
    let (gpu, rest) = (webgpu(), (0..11).map(|at| at * 5 % 60).collect::<Vec<u32>>());
    for window in [1, 4] {
        let (in_loops, on_gpu) = (on(Device::flex(), window), on(gpu.clone(), window));
        for prompt in [1, 3, 9] {
            let prompt: Vec<u32> = (0..prompt).map(|at| at * 7 % 60).collect();
            check(&in_loops, Decoder::in_loops(in_loops.model()), &prompt, &rest).unwrap();
            check(&on_gpu, Decoder::on_gpu(on_gpu.model()), &prompt, &rest).unwrap();
        }
    }
}

#[test]
fn hundreds_of_heads_of_one_number_are_decoded() {
    let of = |config: &mut RunConfig| (config.model.n_heads, config.model.d_head) = (512, 1);
    let prompt: Vec<u32> = (0..9).map(|at| at * 7 % 60).collect();
    let (in_loops, on_gpu) = (trainer(Device::flex(), of), trainer(webgpu(), of));
    check(&in_loops, Decoder::in_loops(in_loops.model()), &prompt, &[3, 1, 4]).unwrap();
    check(&on_gpu, Decoder::on_gpu(on_gpu.model()), &prompt, &[3, 1, 4]).unwrap();
}

#[test]
fn a_decoder_keeps_its_weights_and_starts_anew() {
    let mut trainer = trainer(Device::flex(), |_| ());
    let mut decoder = Decoder::new(trainer.model());
    for _ in 0..3 {
        block_on(trainer.step()).unwrap();
    }
    let ids: Vec<u32> = (0..20).collect();
    let before = block_on(decoder.decode(&ids)).unwrap();
    decoder.restart();
    assert!(decoder.is_empty());
    assert_eq!(block_on(decoder.decode(&ids)).unwrap(), before);
    let after = block_on(Decoder::new(trainer.model()).decode(&ids)).unwrap();
    assert!((surprisal(&before, 3) - surprisal(&after, 3)).abs() > 1e-6);
}

#[test]
fn ablations_are_the_same_token_by_token_as_over_a_whole_prompt() {
    let ablations = [("L0H1", 0.0), ("L1MLP", 0.5), ("L1@3-12", 2.0), ("L1H0@9", -1.0)]
        .map(|(part, factor)| ActivationIntervention::parse(part, factor).unwrap());
    for (mixer, feedback) in [
        ("softmax", false),
        ("linear", false),
        ("window", false),
        ("0:linear,1:conv", false),
        ("softmax", true),
    ] {
        let run = trainer(Device::flex(), |config| {
            config.model.mixer = ByLayer::parse(mixer).unwrap();
            config.model.feedback = feedback;
            config.model.positions = Positions::Rotary;
            (config.model.n_layers, config.model.window) = (2, 5);
        });
        let host = block_on(read_back(run.model())).unwrap();
        let ablated = host.clone().ablate(ablations.to_vec());
        let ids: Vec<u32> = (0..14).map(|at| at * 7 % 60).collect();
        let expected = host.record(&ids, &ablations).logits;
        assert_eq!(ablated.record(&ids, &[]).logits, expected);
        let vocab = expected.len() / ids.len();
        let mut cache = Cache::default();
        for (start, end) in [(0, 6)].into_iter().chain((6..14).map(|at| (at, at + 1))) {
            let got = ablated.decode(&ids[start..end], &mut cache);
            let expected = &expected[(end - 1) * vocab..end * vocab];
            let largest = expected.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            let far = got.iter().zip(expected).find(|(a, b)| (*a - *b).abs() > 1e-4 * largest);
            assert_eq!(far, None, "{mixer}, feedback {feedback}, token {end}");
        }
        assert_ne!(
            ablated.decode(&[1], &mut Cache::default()),
            host.decode(&[1], &mut Cache::default())
        );
    }
}
