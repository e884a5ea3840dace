//! Multi-query associative recall: records as Zoology draws them, and targets that are not the next token.

mod common;

use std::collections::{BTreeMap, HashSet};

use burn::tensor::Device;
use common::{close, read, trainer, trainer_on, webgpu};
use confab::base::random::stream_rng;
use confab::codec::CodecRun;
use confab::config::{LearnerKind, MqarConfig, NoiseConfig, RunConfig, TaskConfig, TaskKind};
use confab::data::{Batch, Row};
use confab::eval::Evaluation;
use confab::kernel::dropout::Dropout;
use confab::learn::{Likelihood, TrainingPass};
use confab::report::{EvalOptions, Report};
use confab::run::{Field, Record};
use confab::task::{Split, Task};
use futures::executor::block_on;
use proptest::prelude::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn task(vocab: usize, length: usize, pairs: usize) -> Task {
    let mqar = MqarConfig { vocab, length, pairs };
    Task::new(&TaskConfig { kind: TaskKind::Mqar, mqar, ..TaskConfig::default() }).unwrap()
}

fn numbers(record: &Record) -> Vec<usize> {
    record.symbols().map(|symbol| symbol.strip_suffix(' ').unwrap().parse().unwrap()).collect()
}

/// Place and value of each query.
fn targets(record: &Record) -> Vec<(usize, usize)> {
    let targets = record.targets.as_ref().unwrap();
    targets.iter().map(|(place, value)| (*place, value.trim_end().parse().unwrap())).collect()
}

/// A run of a small model on short records.
fn small() -> RunConfig {
    let mut config = RunConfig::tuned(TaskKind::Mqar);
    config.task.mqar = MqarConfig { vocab: 20, length: 16, pairs: 3 };
    (config.model.d_model, config.model.context, config.train.batch) = (16, 16, 8);
    config
}

proptest! {
    #[test]
    fn records_have_pairs_and_a_query_of_each_at_every_other_place(
        vocab in 5..=8192usize,
        half in 2..=256usize,
        pairs in 1..=128usize,
        is_held_out in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let length = (2 * half).min((vocab - 1) / 2 * 2);
        let pairs = pairs.min(length / 4);
        let task = task(vocab, length, pairs);
        let record = task.draw(SPLITS[usize::from(is_held_out)], 0, &mut stream_rng(seed, 0));
        let numbers = numbers(&record);
        prop_assert_eq!((numbers.len(), task.longest()), (length, length));
        prop_assert!(numbers.iter().all(|number| *number < vocab));
        let values: BTreeMap<usize, usize> =
            numbers[..2 * pairs].chunks(2).map(|pair| (pair[0], pair[1])).collect();
        prop_assert_eq!(values.len(), pairs);
        prop_assert!(values.keys().all(|key| (1..vocab / 2).contains(key)));
        prop_assert!(values.values().all(|value| *value >= vocab / 2));
        prop_assert_eq!(values.values().collect::<HashSet<_>>().len(), pairs);
        let targets = targets(&record);
        let asked: HashSet<usize> = targets.iter().map(|(place, _)| numbers[*place]).collect();
        prop_assert_eq!((asked.len(), targets.len()), (pairs, pairs));
        prop_assert!(targets.is_sorted());
        for (place, value) in &targets {
            prop_assert!(*place >= 2 * pairs && place.is_multiple_of(2));
            prop_assert_eq!(values[&numbers[*place]], *value);
            prop_assert_eq!(record.fields[*place], Field::Question);
        }
        let tokenizer = task.tokenizer();
        prop_assert_eq!(tokenizer.vocab_size(), vocab);
        let ids: Vec<usize> = tokenizer.tokenize(&record.text).unwrap().iter().map(|id| *id as usize).collect();
        prop_assert_eq!(ids, numbers);
        prop_assert!(task.is_at_end(&record.text) && !task.is_at_end("1 2 "));
    }

    #[test]
    fn no_option_and_no_text_panics(
        (a, b, c) in any::<(usize, usize, usize)>(),
        text in "[0-9 ä]{0,20}",
    ) {
        let task = task(a, b, c);
        for split in SPLITS {
            prop_assert!(!task.draw(split, 0, &mut stream_rng(1, 0)).is_empty());
        }
        prop_assert_eq!(task.probability(&text, "1 "), 0.0);
        task.is_at_end(&text);
    }
}

/// Drawn one after another, each by its weight among those that are left.
#[test]
fn gaps_follow_the_power_law() {
    let task = task(100, 12, 2);
    let weights: Vec<f64> = (1..=4).map(|gap| f64::from(gap).powf(0.01 - 1.0)).collect();
    let all: f64 = weights.iter().sum();
    let mut due = [0.0; 4];
    for first in 0..4 {
        for second in (0..4).filter(|second| *second != first) {
            let both = weights[first] / all * weights[second] / (all - weights[first]);
            due[first] += both;
            due[second] += both;
        }
    }
    let mut counts = [0.0; 4];
    let mut rng = stream_rng(4, 0);
    for _ in 0..20_000 {
        for (place, _) in targets(&task.draw(Split::Train, 0, &mut rng)) {
            counts[(place - 4) / 2] += 1.0;
        }
    }
    for (count, due) in counts.iter().zip(due.map(|due| 20_000.0 * due)) {
        assert!((count - due).abs() < 5.0 * due.sqrt(), "{counts:?}, {due}");
    }
}

#[test]
fn the_loss_is_taken_where_a_value_is_asked_for_alone() {
    let task = task(50, 24, 5);
    let tokenizer = task.tokenizer().with_memory(2);
    let double = NoiseConfig { double: 0.5, ..NoiseConfig::default() };
    for noise in [NoiseConfig::default(), double] {
        let (rows, context) = (6, 64);
        let batch = Batch::draw(
            &task,
            &tokenizer,
            Split::Train,
            &noise,
            (rows, context),
            (1, 1),
            &Device::flex(),
        );
        assert!(
            batch.counted >= 5 * rows
                && batch.fields.iter().flatten().all(|of| *of == Field::Answer)
        );
        let [_, seq] = batch.inputs.dims();
        let rows = batch.ids.chunks(seq).zip(batch.fields.chunks(seq));
        for (ids, fields) in rows {
            let asked = ids.iter().zip(fields).filter(|(_, field)| field.is_some());
            for ((key, value), _) in asked {
                assert!(*key < 25 && (25..50).contains(value));
                let is_pair = |pair: &[(u32, u32)]| pair[0].0 == *key && pair[1].0 == *value;
                assert!(noise.double > 0.0 || ids.windows(2).any(is_pair));
            }
        }
    }
    // Memory tokens and a limit move and cut the targets with the tokens.
    let record = task.draw(Split::Train, 0, &mut stream_rng(1, 0));
    let row = Row::new(&record, &tokenizer, 18);
    let kept: Vec<usize> = row.targets.unwrap().iter().map(|(place, _)| *place).collect();
    let places = targets(&record).into_iter().map(|(place, _)| place + 2);
    assert_eq!(kept, places.filter(|place| *place < 18).collect::<Vec<_>>());
}

/// Three queries among 24 tokens are few: only what predicts is unembedded, which changes neither the loss nor any gradient.
#[test]
fn only_what_predicts_is_unembedded() {
    let mut config = small();
    config.task.mqar = MqarConfig { vocab: 40, length: 24, pairs: 3 };
    config.model.context = 24;
    for device in [Device::flex(), webgpu()] {
        let run = trainer_on(config.clone(), device.clone());
        let few = run.draw(Split::Train, 0, &device.autodiff());
        let all = Batch { few: None, ..few.clone() };
        let [(few_loss, few_gradient), (loss, gradient)] = [&few, &all].map(|batch| {
            let objective = Likelihood { output_l1: 0.5 };
            let mut pass = TrainingPass::new(run.model());
            let loss = pass.forward(batch, &objective, Dropout::NONE, 1.0);
            pass.backward(&loss);
            let (losses, fields) = loss.by_token.unwrap();
            assert_eq!(losses.dims().iter().product::<usize>(), fields.len());
            assert_eq!(fields.iter().flatten().count(), 3 * 8);
            (read(loss.figures), read(pass.into_gradient()))
        });
        let [rows, seq] = all.inputs.dims();
        let unembedded = |batch: &Batch| batch.predictions().1.dims();
        assert_eq!((unembedded(&few), unembedded(&all)), ([1, 3 * rows], [rows, seq]));
        close(&few_loss, &loss, (1e-5, 1e-6), "loss");
        close(&few_gradient, &gradient, (1e-4, 1e-6), "gradient");
    }
}

#[test]
fn the_floor_of_queries_is_zero() {
    let floor = task(8192, 64, 4).floor().unwrap();
    assert_eq!((floor.total_nats, floor.chars), (0.0, 4.0));
    assert_eq!(floor.field(Field::Answer).unwrap().chars, 4.0);
}

#[test]
fn pairs_that_are_held_out_are_not_trained_on() {
    let task = task(40, 8, 1);
    let pairs = |split| -> HashSet<Vec<usize>> {
        let mut rng = stream_rng(2, 0);
        (0..10_000).map(|_| numbers(&task.draw(split, 0, &mut rng))[..2].to_vec()).collect()
    };
    let [trained, held_out] = SPLITS.map(pairs);
    assert!(trained.is_disjoint(&held_out));
    assert_eq!(trained.len() + held_out.len(), 19 * 20);
    assert!((8..50).contains(&held_out.len()), "{}", held_out.len());
}

#[test]
fn what_zoology_asserts_is_refused_by_name() {
    let mut config = RunConfig::tuned(TaskKind::Mqar);
    assert_eq!(config.validate(), Ok(()));
    for (vocab, length, pairs, named) in
        [(100, 33, 4, "length"), (100, 32, 9, "pairs"), (32, 32, 8, "vocab")]
    {
        config.task.mqar = MqarConfig { vocab, length, pairs };
        let why = config.validate().unwrap_err().to_string();
        assert!(why.contains(&format!("task.mqar.{named}")), "{why}");
    }
    config.task.mqar = MqarConfig { vocab: 33, length: 32, pairs: 8 };
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn a_transformer_trains_and_its_queries_are_counted_by_gap() {
    let config = small();
    let mut run = trainer(config.clone());
    let losses: Vec<f32> = (0..60).map(|_| block_on(run.step()).unwrap().loss.train_loss).collect();
    assert!(losses[59] < 0.95 * losses[0], "{losses:?}");
    let options = EvalOptions { records: 40, ..EvalOptions::default() };
    let mut evaluation = Evaluation::new(&run, None, options).unwrap();
    while block_on(evaluation.next()).unwrap() {}
    let Report::Recall(report) = evaluation.progress().report else { panic!("no recall") };
    assert_eq!(report.all().of, 40 * 3);
    let by_gap = report.by_gap();
    assert!(by_gap.len() > 1 && by_gap.iter().map(|(_, score)| score.of).sum::<usize>() == 120);
    assert!(by_gap.iter().all(|(name, _)| name.starts_with("gap of ")));
    // One pass tells what as many single predictions tell.
    let right: usize = (0..40)
        .map(|index| {
            let record =
                run.task.draw(Split::Validation, usize::MAX, &mut stream_rng(options.seed, index));
            let batch = Batch::new(&[Row::new(&record, &run.tokenizer, 17)], 16, &run.device());
            let logits = run.predict(&batch).logits;
            let likeliest: Vec<i32> = logits.argmax(2).into_data().iter::<i32>().collect();
            let is_right = |(place, value): &(usize, usize)| likeliest[*place] as usize == *value;
            targets(&record).iter().filter(|target| is_right(target)).count()
        })
        .sum();
    assert_eq!(report.all().right, right);
    // A question of the page ends with a query.
    let question = run.task.question(1, 0).unwrap();
    assert!(
        question.text.ends_with(' ') && question.answer.trim_end().parse::<usize>().unwrap() >= 10
    );
}

#[test]
fn a_codec_and_a_model_of_other_tokens_say_why_they_do_not_recall() {
    let config = RunConfig { learner: LearnerKind::Codec, ..small() };
    let why = CodecRun::new(config.clone()).map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("question") && why.contains("task.kind"), "{why}");
    let other = task(16, 8, 1).tokenizer();
    let why = Task::for_model(&config.task, &other).unwrap_err().to_string();
    assert!(why.contains("never seen"), "{why}");
}
