//! A run: it learns, it stops and goes on the same, it samples and traces what it learned, and no
//! file can break it.

mod common;

use burn::tensor::Device;
use confab::base::random::stream_rng;
use confab::checkpoint::Checkpoint;
use confab::config::{MemoryKind, MemoryLimits, Preset, RunConfig, TaskKind};
use confab::generate::{Sampler, sample};
use confab::interp::trace::trace;
use confab::learn::{Trainer, learning_rate};
use confab::protocol::SampleOptions;
use confab::run::LossPoint;
use futures::executor::block_on;
use proptest::prelude::*;

use common::{LIMITS, checkpoint, losses, resume, trainer, trainer_on, untimed, webgpu};

fn tiny() -> RunConfig {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.task.phone.names = 8;
    config.model.context = 96;
    config.train.batch = 4;
    config.train.steps = 30;
    config.train.warmup = 2;
    config.train.val_every = 10;
    config.train.val_batches = 1;
    config
}

/// Validations are at steps 1, 10, 20 and 30: the run ends at the first that is as accurate as asked for, and only then.
#[test]
fn a_run_ends_at_the_accuracy_that_it_is_to_reach() {
    let mut run = trainer(tiny());
    let ends = |run: &mut Trainer| {
        while !run.finished() {
            block_on(run.step()).unwrap();
        }
        run.step
    };
    assert_eq!(ends(&mut run), 30);
    let accuracies = run.history.iter().filter_map(|point| Some((point.step, point.accuracy?)));
    let accuracies: Vec<(usize, f32)> = accuracies.collect();
    for (step, accuracy) in &accuracies {
        let stop_at = f64::from(*accuracy);
        let first = accuracies.iter().find(|(_, other)| other >= accuracy).unwrap().0;
        let mut config = tiny();
        config.train.stop_at = stop_at;
        let mut stopped = trainer(config);
        assert_eq!(ends(&mut stopped), if stop_at > 0.0 { first } else { 30 }, "step {step}");
        assert!(resume(checkpoint(&stopped)).finished());
    }
    assert!(accuracies.iter().any(|(_, accuracy)| *accuracy > 0.0), "{accuracies:?}");
}

#[test]
fn loss_starts_at_that_of_a_uniform_guess_and_falls() {
    let mut run = trainer(tiny());
    let losses = losses(&mut run, 30);
    let uniform = (run.tokenizer.vocab_size() as f32).ln();
    assert!((losses[0] - uniform).abs() < 0.1, "{} against ln V = {uniform}", losses[0]);
    assert!(losses[29] < 0.92 * losses[0], "{losses:?}");
    let validated: Vec<usize> =
        run.history.iter().filter(|p| p.val_loss.is_some()).map(|p| p.step).collect();
    assert_eq!(validated, [1, 10, 20, 30]);
    assert!(run.finished());
}

#[test]
fn a_resumed_run_has_the_losses_of_one_that_never_stopped() {
    for dropout in [0.0, 0.2] {
        let mut config = tiny();
        config.model.dropout = dropout;
        config.train.accumulation = 2;
        let mut whole = trainer(config);
        losses(&mut whole, 7);
        let bytes = checkpoint(&whole).to_bytes().unwrap();
        let kept = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(kept.step, 7);
        let mut resumed = resume(kept);
        let (expected, got) = (losses(&mut whole, 5), losses(&mut resumed, 5));
        for (a, b) in expected.iter().zip(&got) {
            assert!((a - b).abs() < 1e-4, "{expected:?} against {got:?}");
        }
    }
}

/// Losses that are read together, on any device, are those that are read one by one. A validation, what a memory learns
/// and the last step end the steps that are given ahead.
#[test]
fn steps_given_ahead_are_those_of_single_steps() {
    for device in [Device::flex(), webgpu()] {
        for (memory, expected) in
            [(MemoryKind::None, &[1, 8, 1, 8, 2, 8, 2][..]), (MemoryKind::Associative, &[1; 30])]
        {
            let mut config = tiny();
            config.model.memory.kind = memory;
            config.model.memory.layers = "1".into();
            let mut single = trainer_on(config.clone(), device.clone());
            let mut ahead = trainer_on(config, device.clone());
            let (mut taken, mut losses) = (Vec::new(), Vec::new());
            while !ahead.finished() {
                let outcomes = block_on(ahead.steps(8)).unwrap();
                taken.push(outcomes.len());
                losses.extend(outcomes.iter().map(|outcome| outcome.loss));
            }
            assert_eq!(taken, expected);
            let one_by_one: Vec<LossPoint> =
                (0..30).map(|_| block_on(single.step()).unwrap().loss).collect();
            assert_eq!(untimed(&losses), untimed(&one_by_one));
            assert_eq!(untimed(&ahead.history), untimed(&single.history));
            let seconds: Vec<f32> = single.history.iter().map(|of| of.seconds.unwrap()).collect();
            assert!(seconds[0] > 0.0 && seconds.is_sorted());
            assert_eq!(checkpoint(&ahead).parameters, checkpoint(&single).parameters);
        }
    }
}

#[test]
fn the_learning_rate_warms_up_and_follows_a_cosine() {
    let train = RunConfig::default().train;
    let rates: Vec<f64> = (0..train.steps).map(|step| learning_rate(&train, step)).collect();
    assert!(rates[..train.warmup].windows(2).all(|pair| pair[0] < pair[1]));
    assert!(rates[train.warmup..].windows(2).all(|pair| pair[0] >= pair[1]));
    assert!((rates[train.warmup] - train.lr).abs() < 1e-12);
    let middle = train.warmup + (train.steps - train.warmup) / 2;
    assert!((rates[middle] - (train.lr + train.min_lr) / 2.0).abs() < 1e-9);
    assert!((learning_rate(&train, train.steps) - train.min_lr).abs() < 1e-12);
    assert_eq!(learning_rate(&train, 10 * train.steps), train.min_lr);
}

#[test]
fn greedy_samples_with_a_cache_are_those_of_whole_forward_passes() {
    let mut config = tiny();
    config.task.kind = TaskKind::Facts;
    config.task.facts.facts = 10;
    config.model.context = 200;
    let mut run = trainer(config);
    losses(&mut run, 5);
    let options = SampleOptions {
        prompt: "{B}What".into(),
        temperature: 0.0,
        max_chars: 40,
        ..SampleOptions::default()
    };
    let mut sampler = Sampler::new(run.model(), &run.tokenizer, &run.task, options).unwrap();
    let mut text = sampler.text().to_string();
    while let Some(character) = block_on(sampler.next(&run.task)).unwrap() {
        let (_, logits) = block_on(trace(&run, &text)).unwrap();
        let expected = logits.expected(&run, &SampleOptions::default());
        let best = &expected.next.last().unwrap()[0];
        assert!((best.logit - character.alternatives[0].logit).abs() < 1e-4, "after {text:?}");
        text.push_str(&character.picked);
    }
    assert_eq!(text, sampler.text());
}

#[test]
fn a_sample_may_be_longer_than_the_context() {
    let mut config = tiny();
    config.task.kind = TaskKind::Text;
    config.task.text.text = "abcdefgh".repeat(20);
    config.model.context = 8;
    let run = trainer(config);
    let options = SampleOptions { prompt: "abc".into(), max_chars: 30, ..Default::default() };
    let mut sampler = Sampler::new(run.model(), &run.tokenizer, &run.task, options).unwrap();
    while block_on(sampler.next(&run.task)).unwrap().is_some() {}
    assert_eq!(sampler.text().chars().count(), 33);
}

#[test]
fn a_sample_ends_with_its_record() {
    for (kind, prompt) in [(TaskKind::Induction, "ab"), (TaskKind::Modular, "57+88=")] {
        let mut config = tiny();
        config.task.kind = kind;
        let run = trainer(config);
        for seed in 0..20 {
            let options = SampleOptions { prompt: prompt.into(), seed, ..Default::default() };
            let mut sampler =
                Sampler::new(run.model(), &run.tokenizer, &run.task, options).unwrap();
            let mut drawn = 0;
            while block_on(sampler.next(&run.task)).unwrap().is_some() {
                drawn += 1;
            }
            let text = sampler.text();
            match kind {
                TaskKind::Modular => assert_eq!(drawn, 1, "{text}"),
                _ => {
                    assert!(text.find('\n').is_none_or(|end| end + 1 == text.len()), "{text:?}");
                    assert!(text.len() <= run.task.longest(), "{text:?}");
                }
            }
        }
    }
}

#[test]
fn every_attention_row_sums_to_one_and_sees_no_later_token() {
    let mut run = trainer(tiny());
    losses(&mut run, 3);
    let prompt = run.task.example_prompt(1);
    let (traced, logits) = block_on(trace(&run, &prompt)).unwrap();
    let seq = prompt.chars().count();
    assert_eq!(traced.patterns.len(), 2 * 2 * seq * seq);
    for layer in 0..2 {
        for head in 0..2 {
            for (query, row) in traced.pattern(layer, head).chunks(seq).enumerate() {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
            }
        }
        let mean = traced.layer_mean(layer);
        assert!((mean[..seq].iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    for next in &logits.expected(&run, &SampleOptions::default()).next {
        assert!(next.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
    }
}

#[test]
fn unknown_characters_are_named() {
    let run = trainer(tiny());
    let options = SampleOptions { prompt: "snow ☃".into(), ..Default::default() };
    let error =
        Sampler::new(run.model(), &run.tokenizer, &run.task, options).err().unwrap().to_string();
    assert!(error.contains('☃'), "{error}");
}

#[test]
fn draws_follow_the_softmax_at_the_temperature() {
    let logits = [1.0f32, 0.0, -1.0, 3.0];
    let mut rng = stream_rng(1, 0);
    assert_eq!(sample(&logits, 0.0, 0, &mut rng), 3);
    assert!((0..100).all(|_| sample(&logits, 2.0, 1, &mut rng) == 3));
    let n = 20_000;
    let mut counts = [0.0f64; 4];
    for _ in 0..n {
        counts[sample(&logits, 2.0, 0, &mut rng)] += 1.0 / f64::from(n);
    }
    let weights = logits.map(|logit| (f64::from(logit) / 2.0).exp());
    let total: f64 = weights.iter().sum();
    for (share, weight) in counts.iter().zip(weights) {
        let p = weight / total;
        let deviation = (p * (1.0 - p) / f64::from(n)).sqrt();
        assert!((share - p).abs() < 5.0 * deviation, "{share} against {p}");
    }
    for _ in 0..1000 {
        assert!([0, 3].contains(&sample(&logits, 2.0, 2, &mut rng)));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_batch_that_does() {
    let mut config = RunConfig::default();
    Preset::find("207k").unwrap().apply(&mut config);
    let limits = MemoryLimits { total: 1 << 30, buffer: 128 << 20 };
    config.train.batch = 4096;
    let error = Trainer::new(config.clone(), Device::flex(), &limits).err().unwrap().to_string();
    let batch = error.split("(train.batch) of ").nth(1).unwrap().split(' ').next().unwrap();
    config.train.batch = batch.parse().unwrap();
    assert!(Trainer::new(config.clone(), Device::flex(), &limits).is_ok());
    config.train.batch += 1;
    assert!(Trainer::new(config, Device::flex(), &limits).is_err());
}

#[test]
fn a_context_shorter_than_a_record_is_refused_with_one_that_is_not() {
    let mut config = RunConfig::default();
    config.model.context = 64;
    let error = Trainer::new(config, Device::flex(), &LIMITS).err().unwrap().to_string();
    assert!(error.contains("Context") && error.contains("252"), "{error}");
}

fn saved() -> Vec<u8> {
    let mut run = trainer(tiny());
    losses(&mut run, 2);
    checkpoint(&run).to_bytes().unwrap()
}

#[test]
fn a_checkpoint_holds_the_run_under_the_names_of_transformer_lens() {
    let bytes = saved();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in ["embed.W_E", "pos_embed.W_pos", "blocks.1.attn.W_Q", "blocks.0.mlp.W_out"] {
        assert!(tensors.tensor(name).is_ok(), "{name}");
        assert!(tensors.tensor(&format!("optim.second.{name}")).is_ok(), "{name}");
    }
    let again = Checkpoint::from_bytes(&bytes).unwrap().to_bytes().unwrap();
    assert_eq!(Checkpoint::from_bytes(&again).unwrap(), Checkpoint::from_bytes(&bytes).unwrap());
}

#[test]
fn hostile_checkpoints_are_refused() {
    let bytes = saved();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for cut in [0, 4, 8, 100, 8 + header, bytes.len() - 1] {
        assert!(Checkpoint::from_bytes(&bytes[..cut]).is_err(), "cut to {cut} bytes");
    }
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(Checkpoint::from_bytes(&huge).is_err());

    let mut not_a_number = bytes.clone();
    not_a_number[8 + header..8 + header + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = Checkpoint::from_bytes(&not_a_number).unwrap_err().to_string();
    assert!(error.contains("not a finite number"), "{error}");

    let edit = |from: &str, to: &str| {
        let text = String::from_utf8(bytes[8..8 + header].to_vec()).unwrap();
        assert!(text.contains(from), "{from}");
        let mut text = text.replacen(from, to, 1).into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut out = (text.len() as u64).to_le_bytes().to_vec();
        out.extend(text);
        out.extend(&bytes[8 + header..]);
        Checkpoint::from_bytes(&out).unwrap_err().to_string()
    };
    assert!(edit("confab.format", "other.format").contains("not one of Confab"));
    assert!(edit("confab.1", "confab.9").contains("update Confab"));
    assert!(edit("\\\"d_model\\\":4", "\\\"d_model\\\":2048").contains("embed.W_E"));
    assert!(edit("\\\"d_model\\\":4", "\\\"d_model\\\":99999999").contains("Width"));
    assert!(edit("\\\"n_layers\\\":2", "\\\"n_layers\\\":3").contains("blocks.2"));
    assert!(!edit("\"data_offsets\":[0,", "\"data_offsets\":[8,").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_to_a_checkpoint_panics(at in 0usize..6000, byte in any::<u8>()) {
        static SAVED: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = SAVED.get_or_init(saved).clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Checkpoint::from_bytes(&bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
    }
}
