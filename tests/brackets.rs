//! Brackets that match: every word, its probability and the floor, against a list of all words.

mod common;

use std::collections::BTreeMap;

use common::trainer;
use confab::base::random::stream_rng;
use confab::codec::CodecRun;
use confab::config::{BracketsConfig, LearnerKind, RunConfig, TaskConfig, TaskKind};
use confab::run::Field;
use confab::task::{Split, Task, surprisals};
use futures::executor::block_on;
use proptest::prelude::*;

/// Opening and closing bracket of each kind.
const BRACKETS: &str = "()[]{}<>aAbBcCdD";
const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

fn brackets(kinds: usize, max_depth: usize, min_pairs: usize, max_pairs: usize) -> BracketsConfig {
    BracketsConfig { kinds, max_depth, min_pairs, max_pairs }
}

fn task(brackets: BracketsConfig) -> Task {
    Task::new(&TaskConfig { kind: TaskKind::Brackets, brackets, ..TaskConfig::default() }).unwrap()
}

/// Closing bracket of an opening one; `None` of others.
fn closing(opening: char) -> Option<char> {
    let place = BRACKETS.find(opening).filter(|place| place.is_multiple_of(2))?;
    BRACKETS[place + 1..].chars().next()
}

/// Greatest number of brackets that are open at once, of a word in which brackets match.
fn depth(word: &str) -> Option<usize> {
    let (mut open, mut deepest) = (Vec::new(), 0);
    for character in word.chars() {
        match closing(character) {
            Some(closing) => open.push(closing),
            None if open.pop() == Some(character) => {}
            None => return None,
        }
        deepest = deepest.max(open.len());
    }
    open.is_empty().then_some(deepest)
}

/// Every word of so many pairs: an opening bracket, a word, the closing bracket, a word.
fn words(kinds: usize, depth: usize, pairs: usize) -> Vec<String> {
    if pairs == 0 {
        return vec![String::new()];
    }
    if depth == 0 {
        return Vec::new();
    }
    let mut all = Vec::new();
    for inside in 0..pairs {
        let after = words(kinds, depth, pairs - 1 - inside);
        for inner in words(kinds, depth - 1, inside) {
            for opening in "([{<abcd".chars().take(kinds) {
                let closing = closing(opening).unwrap();
                all.extend(after.iter().map(|rest| format!("{opening}{inner}{closing}{rest}")));
            }
        }
    }
    all
}

/// Every record with its probability.
fn records(config: &BracketsConfig) -> Vec<(String, f64)> {
    let BracketsConfig { kinds, max_depth, min_pairs, max_pairs } = *config;
    let lengths = (max_pairs - min_pairs + 1) as f64;
    let of_length = |pairs| {
        let words = words(kinds, max_depth, pairs);
        let each = 1.0 / (lengths * words.len() as f64);
        words.into_iter().map(move |word| (word + "\n", each))
    };
    (min_pairs..=max_pairs).flat_map(of_length).collect()
}

fn small() -> [BracketsConfig; 6] {
    [
        brackets(1, 1, 1, 4),
        brackets(1, 3, 2, 6),
        brackets(2, 2, 1, 4),
        brackets(2, 4, 3, 3),
        brackets(3, 32, 1, 4),
        brackets(8, 2, 2, 3),
    ]
}

#[test]
fn probabilities_and_floors_are_those_of_a_list_of_all_words() {
    for config in small() {
        let task = task(config.clone());
        let mut begun: BTreeMap<String, f64> = BTreeMap::new();
        let records = records(&config);
        for (record, probability) in &records {
            for end in 0..=record.len() {
                *begun.entry(record[..end].to_owned()).or_default() += probability;
            }
        }
        let alphabet: Vec<char> = BRACKETS.chars().chain("\n=".chars()).collect();
        for (prefix, all) in &begun {
            for character in &alphabet {
                let here = begun.get(&format!("{prefix}{character}")).copied().unwrap_or(0.0);
                let found = task.probability(prefix, &character.to_string());
                assert!((found - here / all).abs() < 1e-12, "{config:?} {prefix:?} {character:?}");
                assert_eq!(found == 0.0, here == 0.0, "{config:?} {prefix:?} {character:?}");
            }
        }
        let mut sums: BTreeMap<Field, (f64, f64)> = BTreeMap::new();
        for (record, probability) in &records {
            for (place, character) in record.char_indices().skip(1) {
                let field = match character {
                    '\n' => Field::Marker,
                    character if closing(character).is_some() => Field::Opening,
                    _ => Field::Closing,
                };
                let nats = (begun[&record[..place]] / begun[&record[..=place]]).ln();
                let sum = sums.entry(field).or_default();
                *sum = (sum.0 + probability, sum.1 + probability * nats);
            }
        }
        let floor = task.floor().unwrap();
        assert_eq!(floor.fields.len(), sums.len());
        for part in &floor.fields {
            let (chars, nats) = sums[&part.field];
            assert!(
                (part.chars - chars).abs() < 1e-12 && (part.nats - nats).abs() < 1e-12,
                "{config:?} {part:?}"
            );
        }
    }
}

/// Natural logarithm of Catalan number `n`.
fn ln_catalan(n: usize) -> f64 {
    (2..=n).map(|k| ((n + k) as f64 / k as f64).ln()).sum()
}

#[test]
fn a_record_costs_its_length_its_shape_and_its_kinds_but_the_first_ones() {
    // Without a bound, Catalan numbers count the shapes.
    for (kinds, pairs) in [(1, 5), (2, 16), (8, 32)] {
        let total = task(brackets(kinds, 32, pairs, pairs)).floor().unwrap().total_nats;
        let due = ln_catalan(pairs) + (pairs - 1) as f64 * (kinds as f64).ln();
        assert!((total - due).abs() < 1e-10, "{total}, {due}");
    }
    // Up to depth 2 a word is a row of brackets around rows: 2^(pairs - 1) shapes.
    let floor = task(brackets(8, 2, 255, 256)).floor().unwrap();
    let due = 2f64.ln() + 254.5 * 2f64.ln() + 254.5 * 8f64.ln();
    assert!((floor.total_nats - due).abs() < 1e-9, "{floor:?}");
    for (field, chars) in [(Field::Marker, 1.0), (Field::Opening, 254.5), (Field::Closing, 255.5)] {
        assert!((floor.field(field).unwrap().chars - chars).abs() < 1e-9, "{floor:?}");
    }
    // Up to depth 1 there is one shape of a length.
    let floor = task(brackets(3, 1, 256, 256)).floor().unwrap();
    assert!((floor.total_nats - 255.0 * 3f64.ln()).abs() < 1e-9, "{floor:?}");
    assert_eq!(floor.field(Field::Closing).unwrap().nats, 0.0);
}

#[test]
fn each_word_is_in_one_split_and_drawn_as_often_as_it_is_likely() {
    let config = brackets(2, 2, 1, 4);
    let records = records(&config);
    assert_eq!(records.len(), 2 + 2 * 4 + 4 * 8 + 8 * 16);
    let task = task(config);
    let [trained, held_out] = SPLITS.map(|split| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut rng = stream_rng(5, 0);
        for _ in 0..40_000 {
            *counts.entry(task.draw(split, 0, &mut rng).text).or_default() += 1;
        }
        counts
    });
    for counts in [&trained, &held_out] {
        let of_split = |(word, _): &&(String, f64)| counts.contains_key(word);
        let all: f64 = records.iter().filter(of_split).map(|(_, probability)| probability).sum();
        for (word, probability) in records.iter().filter(of_split) {
            let (count, due) = (counts[word] as f64, 40_000.0 * probability / all);
            assert!((count - due).abs() < 5.0 * due.sqrt(), "{word:?}: {count}, {due}");
        }
    }
    assert!(trained.keys().all(|word| !held_out.contains_key(word)));
    assert_eq!(trained.len() + held_out.len(), records.len());
    // About a sixteenth of the words.
    assert!((3..30).contains(&held_out.len()), "{}", held_out.len());
}

#[test]
fn a_language_of_one_word_has_it_in_both_splits() {
    for pairs in [1, 256] {
        let task = task(brackets(1, 1, pairs, pairs));
        for split in SPLITS {
            assert_eq!(task.draw(split, 0, &mut stream_rng(1, 0)).text, "()".repeat(pairs) + "\n");
        }
    }
}

proptest! {
    #[test]
    fn records_match_within_their_depth_and_length(
        kinds in 1..=8usize,
        max_depth in 1..=32usize,
        min_pairs in 1..=256usize,
        more in 0..=40usize,
        is_held_out in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let max_pairs = (min_pairs + more).min(256);
        let task = task(brackets(kinds, max_depth, min_pairs, max_pairs));
        let record = task.draw(SPLITS[usize::from(is_held_out)], 0, &mut stream_rng(seed, 0));
        let word = record.text.strip_suffix('\n').unwrap();
        prop_assert!(depth(word).is_some_and(|depth| depth <= max_depth), "{}", word);
        prop_assert!((2 * min_pairs..=2 * max_pairs).contains(&word.len()));
        prop_assert!(record.len() <= task.longest() && task.is_at_end(&record.text));
        let brackets = &BRACKETS[..2 * kinds];
        prop_assert!(word.chars().all(|character| brackets.contains(character)), "{}", word);
        for (character, field) in word.chars().zip(&record.fields) {
            let is_opening = closing(character).is_some();
            prop_assert_eq!(*field, if is_opening { Field::Opening } else { Field::Closing });
        }
        let costs = surprisals(&task, record.symbols());
        prop_assert!(costs.iter().all(|cost| cost.is_some_and(|nats| nats > -1e-9 && nats.is_finite())));
    }

    #[test]
    fn no_option_and_no_text_panics(
        (a, b, c, d) in any::<(usize, usize, usize, usize)>(),
        text in "[()\\[\\]aA\n=ä]{0,20}",
    ) {
        let task = task(brackets(a, b, c, d));
        prop_assert!(!task.draw(Split::Train, 0, &mut stream_rng(1, 0)).is_empty());
        for symbol in ["(", ")", "\n", "x", ""] {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&task.probability(&text, symbol)));
        }
        prop_assert!(!task.is_at_end("("));
    }
}

#[test]
fn what_does_not_match_is_never_written() {
    let task = task(brackets(2, 2, 2, 3));
    let is_possible = |text: &str| {
        surprisals(&task, text.split_inclusive(|_: char| true)).iter().all(Option::is_some)
    };
    assert!(is_possible("([])\n") && is_possible("()[]()\n"));
    for text in [")", "(]", "([(", "()\n", "([)]", "()()()(", "(())\n(", "{", "()()(("] {
        assert!(!is_possible(text), "{text:?}");
    }
}

#[test]
fn limits_that_exclude_each_other_are_refused_by_name() {
    let mut config = RunConfig::tuned(TaskKind::Brackets);
    assert_eq!(config.validate(), Ok(()));
    (config.task.brackets.min_pairs, config.task.brackets.max_pairs) = (5, 4);
    let why = config.validate().unwrap_err().to_string();
    assert!(
        why.contains("task.brackets.min_pairs") && why.contains("task.brackets.max_pairs"),
        "{why}"
    );
    // Of other tasks they are no options.
    config.task.kind = TaskKind::Phone;
    assert_eq!(config.validate(), RunConfig::default().validate());
}

#[test]
fn a_transformer_learns_and_a_codec_says_why_it_does_not() {
    let mut config = RunConfig::tuned(TaskKind::Brackets);
    config.train.steps = 30;
    let mut run = trainer(config.clone());
    let losses: Vec<f32> = (0..30).map(|_| block_on(run.step()).unwrap().loss.train_loss).collect();
    assert!(losses[29] < 0.8 * losses[0], "{losses:?}");
    config.learner = LearnerKind::Codec;
    let why = CodecRun::new(config).map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("question") && why.contains("task.kind"), "{why}");
}
