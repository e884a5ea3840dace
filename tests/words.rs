//! Sentences of a made-up language: their floors and probabilities against all records of small vocabularies.

mod common;
#[path = "words/enumeration.rs"]
mod enumeration;
#[path = "words/own.rs"]
mod own;

use std::collections::{BTreeMap, HashSet};

use confab::base::random::stream_rng;
use confab::config::{TaskConfig, TaskKind, WordsConfig};
use confab::run::{Field, Found};
use confab::task::{Asked, RecordSource, Sentences, Split, Task, surprisals};
use proptest::prelude::*;

use enumeration::{Enumeration, OBJECT, Records};

const ASKED: [Asked; 2] = [Asked::Spaces, Asked::Tags];

/// H(output | input), in nats.
fn entropy(records: &Records) -> f64 {
    let of_input = |outputs: &BTreeMap<String, f64>| {
        let total: f64 = outputs.values().sum();
        outputs.values().map(|p| p * (total / p).ln()).sum::<f64>()
    };
    records.values().map(of_input).sum()
}

fn small(vocabulary: usize, ambiguous: f64, min_letters: usize, max_letters: usize) -> WordsConfig {
    WordsConfig {
        words: 10,
        vocabulary,
        ambiguous,
        min_letters,
        max_letters,
        ..WordsConfig::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn floors_and_probabilities_are_those_of_all_records(
        vocabulary in 0..1000usize,
        ambiguous in 0.0..1.0f64,
        min_letters in 1..=6usize,
        more in 0..=2usize,
        is_tagging in any::<bool>(),
    ) {
        let asked = ASKED[usize::from(is_tagging)];
        let config = small(vocabulary, ambiguous, min_letters, min_letters + more);
        let task = Sentences::new(&config, asked);
        let records = Enumeration::of(&config, asked, &task);
        let all: f64 = records.values().flat_map(BTreeMap::values).sum();
        prop_assert!((all - 1.0).abs() < 1e-9);

        let floor = task.floor().unwrap();
        prop_assert!((floor.total_nats - entropy(&records)).abs() < 1e-9, "{floor:?}");
        let each = records.values().flatten();
        let chars: f64 = each.map(|(output, p)| p * (output.len() as f64 + 1.0)).sum();
        prop_assert!((floor.chars - chars).abs() < 1e-9, "{floor:?}");
        let longest = records.iter().flat_map(|(input, outputs)| {
            outputs.keys().map(move |output| input.len() + output.len() + 2)
        });
        prop_assert!(longest.max().unwrap() <= task.longest());

        let task: Task = task.into();
        // Right to the letter is the likeliest output of an input; of equally likely ones, one.
        let (mut surely, mut perhaps) = (0, 0);
        for number in 0..20 {
            let record = task.held_out(number, 7);
            let (input, output) = record.text.trim_end().split_once('=').unwrap();
            let outputs = &records[input];
            let is_less = |p: &f64| *p < outputs[output] * (1.0 - 1e-9);
            let others = || outputs.iter().filter(|(other, _)| *other != output);
            surely += usize::from(others().all(|(_, p)| is_less(p)));
            perhaps += usize::from(others().all(|(_, p)| *p <= outputs[output] * (1.0 + 1e-9)));
        }
        let likeliest = task.likeliest(20, 7).unwrap();
        prop_assert_eq!(likeliest.exact.of, 20);
        prop_assert!((surely..=perhaps).contains(&likeliest.exact.right), "{likeliest:?}, {surely}");

        for (input, outputs) in records.iter().step_by(1 + records.len() / 50) {
            let total: f64 = outputs.values().sum();
            for (output, p) in outputs {
                let text = format!("{input}={output}\n");
                let costs = surprisals(&task, text.split_inclusive(|_: char| true));
                let paid = |costs: &[Option<f64>]| costs.iter().map(|cost| cost.unwrap()).sum::<f64>();
                let (given, rest) = costs.split_at(input.len() + 1);
                prop_assert!((paid(given) + total.ln()).abs() < 1e-9, "{text}");
                prop_assert!((paid(rest) - (total / p).ln()).abs() < 1e-9, "{text}");
            }
        }
    }

    #[test]
    fn no_option_and_no_text_panics(
        (words, min, max) in any::<(usize, usize, usize)>(),
        ambiguous in any::<f64>(),
        text in "[a-v =\n]{0,30}",
    ) {
        let words = words % 300;
        let config =
            WordsConfig { words, vocabulary: words, ambiguous, min_letters: min, max_letters: max, ..WordsConfig::default() };
        for asked in ASKED {
            let task = Sentences::new(&config, asked);
            let record = task.draw(Split::Train, 0, &mut stream_rng(1, 0));
            prop_assert!(record.len() <= task.longest() && task.is_at_end(&record.text));
            prop_assert!((0.0..=1.0).contains(&task.probability(&text, "a")));
        }
    }
}

#[test]
fn letters_alone_may_be_read_in_two_ways() {
    let floor = |vocabulary| {
        let task = Sentences::new(&small(vocabulary, 0.0, 4, 8), Asked::Spaces);
        task.floor().unwrap().total_nats
    };
    assert!((0..20).any(|vocabulary| floor(vocabulary) > 1e-3));
}

#[test]
fn without_ambiguous_words_only_a_last_noun_after_a_verb_is_uncertain() {
    let config = small(0, 0.0, 4, 8);
    let task = Sentences::new(&config, Asked::Tags);
    let records = Enumeration::of(&config, Asked::Tags, &task);
    // It is the object, or the subject of the next clause.
    let ends_so = |tags: &str| {
        let last = tags.trim_end_matches(['n', 's']);
        last.len() + 1 == tags.len() && last.trim_end_matches('a').ends_with('v')
    };
    let each = records.values().flatten();
    let share: f64 = each.filter(|(tags, _)| ends_so(tags)).map(|(_, p)| p).sum();
    let choice = -OBJECT * OBJECT.ln() - (1.0 - OBJECT) * (1.0 - OBJECT).ln();
    let floor = task.floor().unwrap().total_nats;
    assert!(share > 0.01 && (floor - share * choice).abs() < 1e-9, "{floor}, {share}");
}

#[test]
fn one_word_that_is_in_one_class_is_certain() {
    let task = Sentences::new(&small(0, 0.0, 1, 1), Asked::Tags);
    // A subject or an adjective, which its class tells.
    assert!(task.floor().unwrap().total_nats < 1e-12);
}

#[test]
fn records_are_drawn_by_their_probabilities() {
    let config = small(2, 0.3, 3, 6);
    for asked in ASKED {
        let task = Sentences::new(&config, asked);
        let records = Enumeration::of(&config, asked, &task);
        let mut rng = stream_rng(1, 0);
        let mut drawn = BTreeMap::<String, usize>::new();
        let (mut held_out, count) = (0.0, 40_000);
        let validation: HashSet<String> = (0..count)
            .map(|_| task.draw(Split::Validation, 0, &mut rng).part(Field::Question))
            .collect();
        for (input, outputs) in &records {
            let share: f64 = outputs.values().sum();
            held_out += if validation.contains(input) { share } else { 0.0 };
        }
        for _ in 0..count {
            *drawn.entry(task.draw(Split::Train, 0, &mut rng).text).or_default() += 1;
        }
        for (input, outputs) in &records {
            for (output, p) in outputs {
                let seen = drawn.get(&format!("{input}={output}\n")).copied().unwrap_or(0) as f64;
                if validation.contains(input) {
                    assert_eq!(seen, 0.0, "{input} is held out");
                } else {
                    let expected = p / (1.0 - held_out) * count as f64;
                    let deviation = expected.sqrt().max(1.0);
                    assert!(
                        (seen - expected).abs() < 5.5 * deviation,
                        "{input}: {seen}, {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn where_there_is_too_much_to_count_the_floor_is_estimated() {
    for asked in ASKED {
        let task = Sentences::new(&WordsConfig::default(), asked);
        assert_eq!(task.count(10), None);
        let (exact, _) = task.count(1_000_000).unwrap();
        let (estimated, found) = task.estimate(4000);
        let Found::Estimated { standard_error, .. } = found else { panic!("{found:?}") };
        assert!(standard_error < 0.02);
        assert!((exact - estimated).abs() < 4.0 * standard_error, "{exact}, {estimated}");
    }
}

#[test]
fn a_vocabulary_is_distinct_words_of_which_a_share_is_in_two_classes() {
    let task = |words, vocabulary, ambiguous| {
        let config = WordsConfig { words, vocabulary, ambiguous, ..WordsConfig::default() };
        let task = Sentences::new(&config, Asked::Tags);
        task.vocabulary().map(|(word, classes)| (word.to_owned(), classes)).collect::<Vec<_>>()
    };
    for (words, ambiguous) in [(10, 0.0), (100, 0.1), (5000, 1.0)] {
        let all = task(words, 0, ambiguous);
        let distinct: HashSet<&String> = all.iter().map(|(word, _)| word).collect();
        assert_eq!(distinct.len(), words);
        assert!(distinct.iter().all(|word| (2..=7).contains(&word.len())));
        let in_two =
            all.iter().filter(|(_, classes)| classes.iter().filter(|is| **is).count() == 2);
        assert_eq!(in_two.count() as f64, ambiguous * words as f64);
        for class in 0..3 {
            assert!(all.iter().any(|(_, classes)| classes[class]));
        }
    }
    assert_eq!(task(100, 3, 0.1), task(100, 3, 0.1));
    assert_ne!(task(100, 3, 0.1), task(100, 4, 0.1));
}

#[test]
fn both_tasks_open_with_their_defaults() {
    for (kind, floor) in [(TaskKind::Spacing, 0.0), (TaskKind::Tagging, 0.1)] {
        let config = TaskConfig { kind, ..TaskConfig::default() };
        let found = Task::new(&config).unwrap().floor().unwrap();
        assert!(matches!(found.found, Found::Counted { .. }), "{found:?}");
        assert!(found.total_nats > floor, "{found:?}");
    }
}
