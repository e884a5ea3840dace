//! Properties that every task promises of its records, and the phone book of its own.

use std::collections::{BTreeMap, HashSet};

use burn::tensor::Device;
use confab::base::random::stream_rng;
use confab::config::{
    AnswerRule, FactsConfig, InductionConfig, ModularConfig, NoiseConfig, PhoneConfig, TaskConfig,
    TaskKind,
};
use confab::data::{Batch, Row};
use confab::run::Field;
use confab::task::{Facts, Induction, Modular, Phone, RecordSource, Split, Task};
use proptest::prelude::*;

const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

/// A line of the phone book: both names and the ten digits.
type Line = (String, String, [u8; 10]);

/// Reads a phone record: its listed lines and the recalled one.
fn read_phone(text: &str) -> Option<(Vec<Line>, Line)> {
    let body = text.strip_prefix("{B}\n")?.strip_suffix("{E}\n")?;
    let (list, recalled) = body.split_once("=========\n")?;
    let list: Option<Vec<Line>> = list.split_inclusive('\n').map(read_line).collect();
    Some((list?, read_line(recalled)?))
}

fn read_line(line: &str) -> Option<Line> {
    let (name, number) = line.strip_suffix(" \n")?.split_once(": ")?;
    let (first, last) = name.split_once(' ')?;
    let is_name = |name: &str| {
        (2..=11).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name[1..].bytes().all(|b| b.is_ascii_lowercase())
    };
    let groups: Vec<&str> = number.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digits: Option<Vec<u8>> =
        groups.concat().chars().map(|c| c.to_digit(10).map(|d| d as u8)).collect();
    let fits = is_name(first) && is_name(last) && lengths == [3, 3, 4];
    fits.then_some((first.into(), last.into(), digits?.try_into().ok()?))
}

fn follows_number_rules(number: &[u8; 10]) -> bool {
    number[0] >= 1
        && number[3..6].iter().all(|digit| *digit <= 8)
        && number[3..6] != [0, 0, 0]
        && !number[6..].iter().all(|digit| *digit == number[6])
}

/// The fields of a phone record, from its characters alone.
fn phone_fields(text: &str) -> Vec<Field> {
    let mut recalled = false;
    let mut fields = Vec::new();
    for line in text.split_inclusive('\n') {
        recalled |= line.starts_with('=');
        fields.extend(line.chars().map(|c| match c {
            _ if line.starts_with('{') => Field::Marker,
            c if recalled && c.is_ascii_alphanumeric() => Field::Answer,
            c if c.is_ascii_digit() => Field::Digit,
            c if c.is_ascii_alphabetic() => Field::Name,
            _ => Field::Separator,
        }));
    }
    fields
}

fn phone(lines: usize, names: usize, answer: AnswerRule) -> Phone {
    Phone::new(&PhoneConfig { lines, names, answer, ..PhoneConfig::default() }).unwrap()
}

proptest! {
    #[test]
    fn phone_records_follow_the_grammar(
        lines in 1..=5usize,
        names in 2..=2000usize,
        published in any::<bool>(),
        validation in any::<bool>(),
        (seed, stream) in any::<(u64, u64)>(),
    ) {
        let answer = if published { AnswerRule::Random } else { AnswerRule::List };
        let task = phone(lines, names, answer);
        let record = task.draw(SPLITS[usize::from(validation)], 0, &mut stream_rng(seed, stream));
        let (list, recalled) = read_phone(&record.text).expect("the grammar");
        prop_assert_eq!(list.len(), lines);
        prop_assert!(list.iter().chain([&recalled]).all(|line| follows_number_rules(&line.2)));
        if published {
            prop_assert!(list.iter().any(|l| (&l.0, &l.1) == (&recalled.0, &recalled.1)));
            prop_assert!(list.iter().all(|l| l.2 != recalled.2));
        } else {
            prop_assert!(list.contains(&recalled));
        }
        prop_assert_eq!(&record.fields, &phone_fields(&record.text));
        prop_assert!(record.len() <= task.longest());
        prop_assert_eq!(record.category, None);
    }

    #[test]
    fn options_out_of_range_do_not_panic(a in any::<usize>(), b in any::<usize>(), seed in any::<u64>()) {
        for split in SPLITS {
            prop_assert!(!phone(a, b, AnswerRule::List).draw(split, 0, &mut stream_rng(seed, 0)).is_empty());
        }
    }

    #[test]
    fn same_seed_and_stream_same_record(seed in any::<u64>(), stream in 0..u64::MAX) {
        for kind in [TaskKind::Phone, TaskKind::Facts, TaskKind::Induction, TaskKind::Modular] {
            let task = Task::new(&TaskConfig { kind, ..TaskConfig::default() }).unwrap();
            let draw = |stream| task.draw(Split::Train, 64, &mut stream_rng(seed, stream));
            prop_assert_eq!(draw(stream), draw(stream));
            if kind == TaskKind::Phone {
                prop_assert_ne!(draw(stream), draw(stream + 1));
            }
        }
    }
}

#[test]
fn each_place_of_a_number_takes_its_digits_and_no_other() {
    let task = phone(1, 2000, AnswerRule::List);
    let mut rng = stream_rng(7, 0);
    let mut seen = [[0usize; 10]; 10];
    for _ in 0..10_000 {
        let (_, (_, _, number)) = read_phone(&task.draw(Split::Train, 0, &mut rng).text).unwrap();
        assert!(follows_number_rules(&number), "{number:?}");
        number.iter().zip(&mut seen).for_each(|(digit, counts)| counts[*digit as usize] += 1);
    }
    for (place, counts) in seen.iter().enumerate() {
        let allowed = match place {
            0 => 1..=9,
            3..=5 => 0..=8,
            _ => 0..=9,
        };
        for (digit, count) in counts.iter().enumerate() {
            let even = 10_000 / allowed.clone().count();
            let near = even * 8 / 10..=even * 12 / 10;
            let want = if allowed.contains(&digit) { near } else { 0..=0 };
            assert!(want.contains(count), "place {place}, digit {digit}: {count}");
        }
    }
}

#[test]
fn recalled_lines_and_names_are_drawn_evenly() {
    let task = phone(5, 4, AnswerRule::List);
    let mut rng = stream_rng(3, 0);
    let mut recalled_at = [0; 5];
    let mut names = BTreeMap::new();
    for _ in 0..5000 {
        let (list, recalled) = read_phone(&task.draw(Split::Train, 0, &mut rng).text).unwrap();
        recalled_at[list.iter().position(|line| *line == recalled).unwrap()] += 1;
        for (first, last, _) in list {
            *names.entry(first).or_insert(0) += 1;
            *names.entry(last).or_insert(0) += 1;
        }
    }
    assert!(recalled_at.iter().all(|count| (880..1120).contains(count)), "{recalled_at:?}");
    assert_eq!(names.len(), 4);
    assert!(names.values().all(|count| (12_000..13_000).contains(count)), "{names:?}");
}

#[test]
fn the_longest_phone_record_fits_256_tokens() {
    assert_eq!(phone(5, 2000, AnswerRule::List).longest(), 252);
    assert!(phone(1, 2, AnswerRule::List).longest() < 100);
}

#[test]
fn there_are_two_thousand_names() {
    let names: Vec<&str> = include_str!("../src/task/data/names.txt").lines().collect();
    assert_eq!(names.len(), 2000);
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 2000);
    assert!(
        names.iter().all(|name| read_line(&format!("{name} {name}: 212-345-6789 \n")).is_some())
    );
}

#[test]
fn phone_lists_of_training_and_validation_are_disjoint() {
    // Few records exist per name, so that a leak would show.
    for (lines, names) in [(1, 2), (5, 2000)] {
        let task = phone(lines, names, AnswerRule::Random);
        let lists = |split, seed| -> HashSet<String> {
            let mut rng = stream_rng(seed, 0);
            let list = |text: String| text.split("=========").next().unwrap().to_string();
            (0..3000).map(|_| list(task.draw(split, 0, &mut rng).text)).collect()
        };
        assert!(lists(Split::Train, 1).is_disjoint(&lists(Split::Validation, 1)));
        assert!(lists(Split::Train, 1).is_disjoint(&lists(Split::Validation, 2)));
    }
}

#[test]
fn a_block_is_written_twice_at_every_length_and_held_out_or_not() {
    let config = InductionConfig { characters: 5, min_len: 2, max_len: 6 };
    let task = Induction::new(&config);
    let blocks = |split, seed| -> Vec<String> {
        let mut rng = stream_rng(seed, 0);
        let block = |text: String| {
            let (block, again) = text.strip_suffix('\n').unwrap().split_once('|').unwrap();
            assert_eq!(block, again);
            block.to_owned()
        };
        (0..3000).map(|_| block(task.draw(split, 0, &mut rng).text)).collect()
    };
    let trained = blocks(Split::Train, 1);
    for length in 2..=6 {
        let count = trained.iter().filter(|block| block.len() == length).count();
        assert!((500..700).contains(&count), "{count} of 3,000 blocks have length {length}");
    }
    let trained: HashSet<String> = trained.into_iter().collect();
    for seed in [1, 2] {
        assert!(trained.is_disjoint(&blocks(Split::Validation, seed).into_iter().collect()));
    }
}

#[test]
fn sums_are_right_and_those_held_out_are_not_trained_on() {
    let task = Modular::new(&ModularConfig { modulus: 13, fraction: 0.3 });
    let sums = |split| -> HashSet<String> {
        let mut rng = stream_rng(1, 0);
        task.draw_batch(split, 0, 5000, &mut rng).into_iter().map(|record| record.text).collect()
    };
    let (trained, held_out) = (sums(Split::Train), sums(Split::Validation));
    assert_eq!((trained.len(), held_out.len()), (51, 118), "30% of 169, and the others");
    assert!(trained.is_disjoint(&held_out));
    let whole = task.draw_batch(Split::Train, 0, 51, &mut stream_rng(2, 0));
    let whole: HashSet<String> = whole.into_iter().map(|record| record.text).collect();
    assert_eq!(whole, trained, "as many as there are, are all of them");
    for text in trained.union(&held_out) {
        let (sum, result) = text.split_once('=').unwrap();
        let (a, b) = sum.split_once('+').unwrap();
        let [a, b, result] = [a, b, result].map(|number| number.parse::<u32>().unwrap());
        assert_eq!((a + b) % 13, result, "{text}");
    }
}

#[test]
fn each_number_of_a_sum_is_one_token() {
    let task = Modular::new(&ModularConfig { modulus: 151, fraction: 1.0 });
    let tokenizer = task.tokenizer();
    assert_eq!(tokenizer.vocab_size(), 151 + 2);
    for record in task.draw_batch(Split::Train, 0, 1000, &mut stream_rng(1, 0)) {
        assert_eq!(record.len(), 5);
        // A prompt that someone types has the same tokens as the record.
        let typed = tokenizer.tokenize(&record.text).unwrap();
        let row = Row::new(&record, &tokenizer, 5);
        assert_eq!(row.ids, typed);
        let symbols: Vec<&str> = typed.iter().map(|id| tokenizer.token(*id).unwrap()).collect();
        assert_eq!(symbols, record.symbols().collect::<Vec<_>>());
    }
}

#[test]
fn older_models_of_sums_keep_their_ids() {
    // `+`, the digits, `=`, and then a letter for each number from 10 on.
    let tokens = |modulus| {
        let tokenizer = Modular::new(&ModularConfig { modulus, fraction: 1.0 }).tokenizer();
        (0..tokenizer.vocab_size() as u32)
            .map(|id| tokenizer.token(id).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(12)[..3], ["+", "0", "1"]);
    assert_eq!(tokens(12)[10..], ["9", "=", "10", "11"]);
    // A modulus below ten has no letters.
    assert_eq!(tokens(3), ["+", "0", "1", "2", "="]);
}

#[test]
fn of_a_sum_only_the_answer_is_predicted() {
    let task = Task::new(&TaskConfig { kind: TaskKind::Modular, ..TaskConfig::default() }).unwrap();
    for noise in [NoiseConfig::default(), NoiseConfig { double: 0.5, ..NoiseConfig::default() }] {
        let batch = Batch::draw(
            &task,
            &task.tokenizer(),
            Split::Train,
            &noise,
            (20, 16),
            (1, 1),
            &Device::flex(),
        );
        // A sign read twice predicts twice what follows it.
        assert!(batch.counted == 20 || noise.double > 0.0 && batch.counted > 20);
        assert!(batch.fields.iter().flatten().all(|field| *field == Field::Answer));
    }
}

#[test]
fn records_are_the_same_in_every_version() {
    let task = phone(1, 2000, AnswerRule::List);
    let record = task.draw(Split::Train, 0, &mut stream_rng(1, 2));
    assert_eq!(record.text, PINNED);
}

#[test]
fn tokenizers_know_every_character() {
    for kind in TaskKind::NAMES.iter().map(|name| TaskKind::parse(name).unwrap()) {
        let mut config = TaskConfig { kind, ..TaskConfig::default() };
        config.facts = FactsConfig { facts: 5000, repetitions: 4, ..FactsConfig::default() };
        config.text.text =
            "Als Gregor Samsa eines Morgens aus unruhigen Tr\u{e4}umen erwachte".into();
        let task = Task::new(&config).unwrap();
        let tokenizer = task.tokenizer();
        let check = |text: &str| {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()), text);
        };
        if let Some(facts) = task.downcast_ref::<Facts>() {
            SPLITS.iter().flat_map(|split| facts.records(*split)).for_each(|r| check(&r.text));
        }
        for (stream, split) in (0..300).flat_map(|stream| SPLITS.map(|split| (stream, split))) {
            check(&task.draw(split, 16, &mut stream_rng(1, stream)).text);
        }
        check(&task.example_prompt(5));
    }
}

#[test]
fn example_prompts_end_where_the_answer_begins() {
    let prompt =
        |kind| Task::new(&TaskConfig { kind, ..TaskConfig::default() }).unwrap().example_prompt(5);
    assert!(prompt(TaskKind::Phone).ends_with("=========\n"));
    assert!(prompt(TaskKind::Facts).ends_with("): "));
}

const PINNED: &str = "{B}\nShana Lesa: 962-314-9944 \n=========\nShana Lesa: 962-314-9944 \n{E}\n";
