//! Sequences that are written again, forwards or backwards.

use std::collections::HashSet;

use confab::base::random::stream_rng;
use confab::config::{RunConfig, SequenceConfig, TaskConfig, TaskKind};
use confab::run::Field;
use confab::task::{Split, Task, surprisals};
use proptest::prelude::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn task(kind: TaskKind, characters: usize, min_len: usize, max_len: usize) -> Task {
    let sequence = SequenceConfig { characters, min_len, max_len };
    Task::new(&TaskConfig { kind, sequence, ..TaskConfig::default() }).unwrap()
}

#[test]
fn the_likeliest_outputs_of_certain_ones_are_all_right() {
    for kind in [TaskKind::Copy, TaskKind::Reverse] {
        let likeliest = task(kind, 10, 3, 9).likeliest(50, 1).unwrap();
        assert_eq!((likeliest.exact.share(), likeliest.accuracy()), (Some(1.0), Some(1.0)));
    }
    // Facts are learnt by heart, and a phone book's records go on after an answer.
    for kind in [TaskKind::Facts, TaskKind::Phone] {
        assert_eq!(task(kind, 10, 3, 9).likeliest(50, 1), None);
    }
}

fn wanted(kind: TaskKind, input: &str) -> String {
    match kind {
        TaskKind::Reverse => input.chars().rev().collect(),
        _ => input.to_owned(),
    }
}

proptest! {
    #[test]
    fn outputs_are_their_inputs_forwards_or_backwards_and_cost_nothing(
        characters in 2..=62usize,
        min_len in 1..=8usize,
        more in 0..=8usize,
        is_reverse in any::<bool>(),
        is_held_out in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let kind = if is_reverse { TaskKind::Reverse } else { TaskKind::Copy };
        let task = task(kind, characters, min_len, min_len + more);
        let split = SPLITS[usize::from(is_held_out)];
        let record = task.draw(split, 0, &mut stream_rng(seed, 0));
        let (input, output) = record.text.strip_suffix('\n').unwrap().split_once('=').unwrap();
        prop_assert!((min_len..=min_len + more).contains(&input.len()));
        prop_assert_eq!(output, wanted(kind, input));
        prop_assert_eq!(&record.part(Field::Question), input);
        prop_assert_eq!(&record.part(Field::Answer), output);
        prop_assert_eq!(record.given, input.len() + 1);
        prop_assert!(record.len() <= task.longest() && task.is_at_end(&record.text));
        let costs = surprisals(&task, record.symbols());
        prop_assert!(costs[record.given..].iter().all(|cost| cost == &Some(0.0)));
        // The input costs its characters and its length.
        let paid: f64 = costs[..record.given].iter().map(|cost| cost.unwrap()).sum();
        let due = input.len() as f64 * (characters as f64).ln() + (more as f64 + 1.0).ln();
        prop_assert!((paid - due).abs() < 1e-9, "{paid}, {due}");
    }

    #[test]
    fn no_option_and_no_text_panics(a in any::<usize>(), b in any::<usize>(), text in ".{0,20}") {
        let task = task(TaskKind::Reverse, a, b, a);
        prop_assert!(!task.draw(Split::Train, 0, &mut stream_rng(1, 0)).is_empty());
        task.probability(&text, "a");
    }
}

#[test]
fn the_floor_of_an_output_is_zero() {
    for kind in [TaskKind::Copy, TaskKind::Reverse] {
        let floor = task(kind, 26, 3, 7).floor().unwrap();
        // Five characters on average, and the line end.
        assert_eq!((floor.total_nats, floor.chars), (0.0, 6.0));
    }
}

#[test]
fn inputs_that_are_held_out_are_not_trained_on() {
    for kind in [TaskKind::Copy, TaskKind::Reverse] {
        let task = task(kind, 3, 2, 5);
        let inputs = |split, seed| -> HashSet<String> {
            let mut rng = stream_rng(seed, 0);
            (0..3000).map(|_| task.draw(split, 0, &mut rng).part(Field::Question)).collect()
        };
        let trained = inputs(Split::Train, 1);
        for seed in [1, 2] {
            assert!(trained.is_disjoint(&inputs(Split::Validation, seed)));
        }
    }
}

#[test]
fn what_is_no_sequence_is_never_written() {
    let task = task(TaskKind::Reverse, 4, 3, 4);
    let costs = |text: &str| surprisals(&task, text.split_inclusive(|_: char| true));
    let is_possible = |text: &str| costs(text).iter().all(Option::is_some);
    assert!(is_possible("abc=cba\n"));
    for text in ["ab=", "abcda", "abe", "abc=a", "abc=cb\n", "abc=cba\na"] {
        assert!(!is_possible(text), "{text:?}");
    }
}

#[test]
fn options_of_sequences_are_of_both_tasks_and_of_no_other() {
    let knobs = |kind| {
        let mut config = RunConfig::default();
        config.task.kind = kind;
        let has_effect = |knob: &&confab::config::Knob| knob.has_effect(&config);
        let options = confab::config::KNOBS.iter().filter(has_effect);
        options.filter(|knob| knob.key.starts_with("task.sequence.")).count()
    };
    assert_eq!([TaskKind::Copy, TaskKind::Reverse, TaskKind::Induction].map(knobs), [3, 3, 0]);
}
