//! Noise on what is read: what is to be predicted stays clean.

mod common;

use burn::tensor::{Device, Tensor};
use confab::config::{NoiseConfig, RunConfig};
use confab::data::noise::{Reading, noise_rng, read};
use confab::data::{Batch, Inputs};
use confab::task::{Split, Task};
use confab::tokenizer::Tokenizer;
use futures::executor::block_on;
use proptest::prelude::*;

use common::{apart, batch, forward, read as read_back, trainer};

const TEXT: &str = "{B}\nAnn Lee: 212-345-6789 \n=========\nAnn Lee: 212-345-6789 \n{E}\n";

fn tokenizer() -> Tokenizer {
    Task::new(&RunConfig::default().task).unwrap().tokenizer()
}

fn written(readings: &[Reading]) -> String {
    tokenizer().decode(&readings.iter().map(|reading| reading.id).collect::<Vec<_>>())
}

fn read_text(noise: NoiseConfig, text: &str) -> Vec<Reading> {
    let tokenizer = tokenizer();
    read(&noise, &tokenizer.tokenize(text).unwrap(), &tokenizer, &mut noise_rng(1, 0))
}

proptest! {
    #[test]
    fn what_is_predicted_is_the_clean_text_in_its_order(
        shares in proptest::array::uniform8(prop_oneof![Just(0.0), 0.0..1.0f64]),
        stream in any::<u64>(),
        text in "[A-Za-z0-9 :\n-]{1,80}",
    ) {
        let [forget, swap, drop, insert, double, neighbour, homoglyph, space] = shares;
        let noise = NoiseConfig { forget, swap, drop, insert, double, neighbour, homoglyph, space };
        let tokenizer = tokenizer();
        let clean = tokenizer.tokenize(&text).unwrap();
        let readings = read(&noise, &clean, &tokenizer, &mut noise_rng(1, stream));
        prop_assert_eq!(readings[0].id, clean[0]);
        prop_assert!(!readings[0].is_forgotten);
        prop_assert!(readings.iter().all(|reading| (reading.id as usize) < tokenizer.text_size()));
        let predicted: Vec<usize> = readings.iter().filter_map(|reading| reading.predicts).collect();
        prop_assert!(predicted.iter().all(|place| (1..clean.len()).contains(place)));
        prop_assert!(predicted.is_sorted());
        if swap == 0.0 && drop == 0.0 && space == 0.0 {
            let mut distinct = predicted;
            distinct.dedup();
            prop_assert_eq!(distinct, (1..clean.len()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn each_kind_does_what_it_is_named_for() {
    let all = |kind: fn(&mut NoiseConfig)| {
        let mut noise = NoiseConfig::default();
        kind(&mut noise);
        written(&read_text(noise, "abcdef 1"))
    };
    assert_eq!(all(|_| ()), "abcdef 1");
    assert_eq!(all(|noise| noise.swap = 1.0), "acbed f1");
    assert_eq!(all(|noise| noise.drop = 1.0), "a");
    assert_eq!(all(|noise| noise.double = 1.0), "abbccddeeff  11");
    assert_eq!(all(|noise| noise.insert = 1.0).len(), 15);
    assert!("lI".contains(all(|noise| noise.homoglyph = 1.0).pop().unwrap()));
    let keys = all(|noise| noise.neighbour = 1.0);
    assert!("vghn".contains(keys.chars().nth(1).unwrap()), "{keys}");
    let spaced = all(|noise| noise.space = 1.0);
    assert!(spaced.starts_with("a b c d e f"), "{spaced}");
}

#[test]
fn the_same_seed_makes_the_same_noise_and_leaves_the_records_alone() {
    let noise = NoiseConfig { swap: 0.1, insert: 0.1, forget: 0.5, ..NoiseConfig::default() };
    assert_eq!(read_text(noise.clone(), TEXT), read_text(noise.clone(), TEXT));
    let task = Task::new(&RunConfig::default().task).unwrap();
    let batch = |noise: &NoiseConfig| {
        let device = Device::flex();
        Batch::draw(&task, &tokenizer(), Split::Train, noise, (4, 256), (1, 3), &device)
    };
    let (clean, noisy) = (batch(&NoiseConfig::default()), batch(&noise));
    // The first characters of a row are those of its record, with noise and without.
    let first = |batch: &Batch| match &batch.inputs {
        Inputs::Tokens(tokens) => tokens.clone().narrow(1, 0, 1).into_data(),
        Inputs::Vectors(_) => panic!("records are tokens"),
    };
    assert_eq!(first(&clean), first(&noisy));
    assert!(clean.forgotten.is_none() && noisy.forgotten.is_some());
    assert!(noisy.counted < clean.counted + 200 && noisy.counted > clean.counted - 200);
}

#[test]
fn memory_tokens_are_read_as_they_are_by_every_row() {
    const MEMORY: usize = 3;
    let task = Task::new(&RunConfig::default().task).unwrap();
    let remembering = tokenizer().with_memory(MEMORY);
    let everything =
        NoiseConfig { forget: 1.0, swap: 0.2, drop: 0.2, insert: 0.3, ..NoiseConfig::default() };
    for noise in [NoiseConfig::default(), everything] {
        let draw = |tokenizer: &Tokenizer, context: usize| {
            let device = Device::flex();
            let shape = (4, context);
            Batch::draw(&task, tokenizer, Split::Train, &noise, shape, (1, 3), &device)
        };
        let (without, with) = (draw(&tokenizer(), 384), draw(&remembering, 384 + MEMORY));
        let rows = |batch: &Batch| {
            let [_, seq] = batch.inputs.dims();
            let forgotten: Vec<bool> = match &batch.forgotten {
                Some(forgotten) => forgotten.clone().into_data().iter::<bool>().collect(),
                None => vec![false; batch.ids.len()],
            };
            let rows =
                batch.ids.chunks(seq).zip(batch.fields.chunks(seq)).zip(forgotten.chunks(seq));
            rows.map(|((ids, fields), forgotten)| {
                let tokens = ids.iter().zip(fields).zip(forgotten);
                tokens.map(|((id, field), forgotten)| (*id, *field, *forgotten)).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(without.counted, with.counted);
        for (without, with) in rows(&without).iter().zip(&rows(&with)) {
            for (place, ((id, _), field, is_forgotten)) in with[..MEMORY].iter().enumerate() {
                assert_eq!(*id as usize, remembering.text_size() + place);
                assert_eq!((*field, *is_forgotten), (None, false));
            }
            // After them comes what came without them.
            let read = without.len().min(with.len() - MEMORY);
            assert_eq!(with[MEMORY..][..read], without[..read]);
            // Nothing asks for them.
            let asked = with.iter().filter(|(_, field, _)| field.is_some());
            assert!(
                asked.into_iter().all(|((_, next), ..)| remembering.text_size() > *next as usize)
            );
        }
    }
}

#[test]
fn a_forgotten_token_changes_nothing_after_it() {
    let device = Device::flex();
    let run = trainer(RunConfig::default());
    let logits = |third: i32, is_forgotten: bool| {
        let tokens = Tensor::from_data([[1, 2, third, 4, 5]], &device);
        let forgotten =
            Some(Tensor::from_data([[false, false, is_forgotten, false, false]], &device));
        let output = forward(run.model(), &Batch { forgotten, ..batch(tokens) });
        read_back(output.logits.narrow(1, 3, 2))
    };
    assert_eq!(apart(&logits(3, true), &logits(9, true)), 0.0);
    assert!(apart(&logits(3, false), &logits(9, false)) > 1e-6);
}

#[test]
fn validation_stays_clean() {
    let losses = |swap: f64| {
        let mut config = RunConfig::default();
        config.noise.swap = swap;
        let trainer = trainer(config);
        let of = |split| block_on(trainer.losses(split, 1)).unwrap().mean();
        (of(Split::Train), of(Split::Validation))
    };
    let (clean, noisy) = (losses(0.0), losses(0.3));
    assert_eq!(clean.1, noisy.1);
    assert!(clean.0 != noisy.0);
}
