//! Sweeps: the grid, what is counted as recalled, and the file of outcomes.

mod common;

use std::rc::Rc;

use burn::tensor::Device;
use confab::base::parallel::Threads;
use confab::config::{ConfigError, Preset, RunConfig, TaskKind};
use confab::eval::{Sweep, SweepRun};
use confab::generate::Sampler;
use confab::learn::{Crew, Trainer};
use confab::report::sweep::{Grid, Outcome, Sweeping, mean_and_deviation, stored_bits};
use confab::report::{Score, sweep};
use confab::run::{Field, link};
use confab::task::{Facts, RecordSource, Split};
use futures::executor::block_on;
use proptest::prelude::*;

use common::LIMITS;

fn outcome() -> impl Strategy<Value = Outcome> {
    let numbers = (10..5000usize, 1..1_000_000usize, 1..9u64, 0..5000usize);
    let found = (0..100usize, 0..100usize, prop::option::of(0..72u32), 0..8_000_000u32);
    (numbers, found, "[a-z0-9=&.]{0,40}").prop_map(
        |((facts, parameters, seed, steps), (right, more, train_loss, bits), link)| {
            let recalled = Score { right, of: right + more };
            // Eighths are written and read without rounding.
            let (train_loss, bits) = (train_loss.map(|n| n as f32 / 8.0), f64::from(bits) / 8.0);
            Outcome { link, facts, parameters, seed, steps, recalled, train_loss, bits }
        },
    )
}

proptest! {
    #[test]
    fn outcomes_are_read_as_they_were_written(outcomes in prop::collection::vec(outcome(), 0..8)) {
        let mut text: String = outcomes.iter().map(sweep::write).collect();
        prop_assert_eq!(sweep::read::<Outcome>(text.as_bytes()).unwrap(), outcomes.clone());
        // A line that was being written when the program was killed.
        text.push_str("{\"link\":\"task.ki");
        prop_assert_eq!(sweep::read::<Outcome>(text.as_bytes()).unwrap(), outcomes);
    }

    #[test]
    fn no_file_of_outcomes_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = sweep::read::<Outcome>(bytes.as_slice());
    }

    #[test]
    fn no_more_bits_are_stored_than_the_answers_have(
        facts in 1..5000usize, right in 0..100usize, wrong in 0..100usize,
        answers in 1..900usize, share in 0.0..1.0f64,
    ) {
        let entropy = share * (answers as f64).log2();
        let bits = stored_bits(facts, Score { right, of: right + wrong }, answers, entropy);
        prop_assert!((0.0..=facts as f64 * entropy + 1e-6).contains(&bits));
    }
}

#[test]
fn bits_stored_are_fanos() {
    let all = Score { right: 50, of: 50 };
    assert!((stored_bits(100, all, 8, 3.0) - 300.0).abs() < 1e-9);
    // Guessing tells nothing: one answer in eight is right by chance.
    assert!(stored_bits(100, Score { right: 1, of: 8 }, 8, 3.0).abs() < 1e-9);
    assert_eq!(stored_bits(100, Score { right: 0, of: 8 }, 8, 3.0), 0.0);
    // Half of the answers out of two: 1 − h(1/2) = 0; three quarters: 1 − h(1/4).
    let three_quarters = stored_bits(10, Score { right: 3, of: 4 }, 2, 1.0);
    assert!((three_quarters - 10.0 * (1.0 - 0.811_278_124_459)).abs() < 1e-6);
}

#[test]
fn a_deviation_is_that_of_a_sample() {
    let (mean, deviation) = mean_and_deviation(&[1.0, 2.0, 3.0, 4.0]);
    assert!((mean - 2.5).abs() < 1e-12 && (deviation - (5.0f64 / 3.0).sqrt()).abs() < 1e-12);
    assert_eq!(mean_and_deviation(&[0.5]), (0.5, 0.0));
}

#[test]
fn a_broken_line_is_named() {
    let whole = "{\"link\":\"\",\"facts\":10,\"parameters\":5,\"seed\":1,\"steps\":9,\
                 \"recalled\":{\"right\":1,\"of\":9},\"train_loss\":1.0,\"bits\":3.0}\n";
    assert_eq!(sweep::read::<Outcome>(whole.as_bytes()).unwrap().len(), 1);
    let error =
        sweep::read::<Outcome>(format!("{whole}\n{{}}\n").as_bytes()).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
    let impossible = whole.replace("\"right\":1", "\"right\":10");
    assert!(sweep::read::<Outcome>(impossible.as_bytes()).is_err());
}

#[test]
fn a_grid_is_every_size_with_every_number_of_facts_and_seed() {
    let presets = ["1.7k", "30k"].map(|name| Preset::find(name).unwrap()).to_vec();
    let grid = Grid { facts: vec![10, 20, 30], presets, seeds: 2 };
    let settings = |preset: &'static Preset| {
        let mut config = RunConfig::default();
        preset.apply(&mut config);
        Ok::<_, ()>(config)
    };
    let runs = grid.runs(settings).unwrap();
    assert_eq!(runs.len(), 12);
    let names: std::collections::HashSet<_> =
        runs.iter().map(|run| sweep::name(run).unwrap()).collect();
    assert_eq!(names.len(), 12);
    for run in &runs {
        assert_eq!(run.task.kind, TaskKind::Facts);
        assert_eq!(link::decode(&sweep::name(run).unwrap()).unwrap().config, *run);
    }
}

fn small(steps: usize) -> RunConfig {
    let mut config = RunConfig::default();
    config.task.kind = TaskKind::Facts;
    config.task.facts.facts = 10;
    config.model.d_model = 32;
    config.train.steps = steps;
    config.train.val_every = 20;
    config.train.val_batches = 1;
    config
}

/// An outcome of an earlier version, whose link has an earlier key, is that of the same run today.
#[test]
fn outcomes_with_earlier_keys_are_those_of_the_same_runs() {
    let mut run = small(5);
    run.task.facts.shuffle = 2;
    run.model.head_gates = true;
    let name = sweep::name(&run).unwrap();
    let earlier =
        name.replace("facts.shuffle", "facts.world").replace("head_gates", "contributions");
    assert_ne!(earlier, name);
    let recalled = Score { right: 1, of: 2 };
    let outcome = Outcome {
        link: earlier,
        facts: 10,
        parameters: 100,
        seed: 1,
        steps: 5,
        recalled,
        train_loss: Some(1.0),
        bits: 2.0,
    };
    let text = sweep::write(&outcome);
    let today = Outcome { link: name, ..outcome };
    assert_eq!(sweep::read::<Outcome>(text.as_bytes()).unwrap(), std::slice::from_ref(&today));
    let merged = sweep::merge(vec![today.clone()], &text).unwrap();
    assert_eq!(merged.outcomes, [today]);
}

#[test]
fn what_is_drawn_of_a_hostile_file_is_bounded() {
    let outcome = |n: usize| Outcome {
        link: n.to_string(),
        facts: n,
        parameters: n,
        seed: 1,
        steps: 1,
        recalled: Score { right: 0, of: 1 },
        train_loss: None,
        bits: 0.0,
    };
    let outcomes: Vec<Outcome> = (1..2000).map(outcome).collect();
    let (sizes, facts) = sweep::sides(&sweep::cells(&outcomes));
    assert_eq!((sizes.len(), facts.len()), (sweep::MAX_DRAWN, sweep::MAX_DRAWN));
    assert!(sweep::plot(&outcomes, (300, 300), false).len() < 1 << 20);
    let lines: String = (0..10_001).map(|n| sweep::write(&outcome(n + 1))).collect();
    assert!(sweep::read::<Outcome>(lines.as_bytes()).is_err());
}

#[test]
fn only_facts_are_swept() {
    let refused = Sweep::check(&[RunConfig::default()], &LIMITS).err();
    assert!(matches!(refused, Some(ConfigError::Task(_))));
}

#[test]
fn a_sweep_stops_at_full_recall_and_what_it_counts_is_what_the_model_writes() {
    let mut run = SweepRun::new(small(2000), Device::flex(), &LIMITS).unwrap();
    let outcome = loop {
        if let Some(outcome) = block_on(run.next()).unwrap() {
            break outcome;
        }
    };
    assert_eq!(outcome.recalled, Score { right: 9, of: 9 });
    assert!(outcome.steps < 2000, "{outcome:?}");
    let Some(facts) = run.trainer().task.downcast_ref::<Facts>() else { unreachable!() };
    let (_, entropy) = facts.answers();
    assert!((outcome.bits - 9.0 * entropy).abs() < 1e-9);
    // Every record is what greedy writing makes of its question.
    for record in facts.records(Split::Train) {
        let prompt = format!("{{B}}{}", record.part(Field::Question));
        let options = confab::protocol::SampleOptions {
            prompt,
            temperature: 0.0,
            ..confab::protocol::SampleOptions::default()
        };
        let Trainer { task, tokenizer, .. } = run.trainer();
        let model = run.trainer().model();
        let mut sampler = Sampler::new(model, tokenizer, task, options).unwrap();
        while block_on(sampler.next(task)).unwrap().is_some() {}
        assert_eq!(sampler.text().trim_end(), record.text.trim_end());
    }
}

#[test]
fn a_sweep_goes_through_its_runs_and_an_untrained_model_recalls_nothing() {
    let mut other = small(2);
    other.seed = 7;
    let alone: Rc<dyn Crew> = Rc::new(Threads::shared());
    let mut sweep = Sweep::new(vec![small(2), other], Device::flex(), LIMITS, alone).unwrap();
    assert_eq!(sweep.progress().left, 2);
    while block_on(sweep.next()).unwrap() {}
    let standing = sweep.progress();
    assert!(standing.current.is_none() && standing.left == 0);
    let seeds: Vec<u64> = standing.done.iter().map(|outcome| outcome.seed).collect();
    assert_eq!(seeds, [RunConfig::default().seed, 7]);
    assert!(standing.done.iter().all(|outcome| outcome.recalled == Score { right: 0, of: 9 }));
}

#[test]
fn every_run_has_one_outcome_whoever_trains_it_and_when_a_worker_ends() {
    let runs: Vec<RunConfig> = (1..=4).map(|seed| RunConfig { seed, ..small(12) }).collect();
    let outcomes = |crew: Rc<dyn Crew>| {
        let mut sweep = Sweep::new(runs.clone(), Device::flex(), LIMITS, crew).unwrap();
        let mut at_once = 0;
        while block_on(sweep.next()).unwrap() {
            let Sweeping { current, elsewhere, .. } = sweep.progress();
            at_once = at_once.max(elsewhere + usize::from(current.is_some()));
        }
        let Sweeping { mut done, current, elsewhere, left } = sweep.progress();
        assert_eq!((current, elsewhere, left), (None, 0, 0));
        done.sort_by_key(|outcome| outcome.seed);
        (done, at_once)
    };
    let (alone, at_once) = outcomes(Rc::new(Threads::shared()));
    assert_eq!((alone.len(), at_once), (4, 1));
    let crew = Rc::new(common::crew::Mortal::default());
    let (helped, at_once) = outcomes(crew.clone());
    assert_eq!(alone, helped);
    // The third worker ended, so its run was sent again.
    assert_eq!((crew.sent.get(), at_once), (4, 4));
}
