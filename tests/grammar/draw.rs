//! Records that are drawn, and floors estimated from them.

use std::collections::HashMap;

use confab::run::{Field, Record};
use confab::task::grammar::Grammar;

use crate::example;
use crate::list::{counted, parsed, rng};

const EXAMPLES: [&str; 5] = ["copying", "reversal", "sorting", "brackets", "phone_book"];

/// Probability of a whole record by the chain rule.
fn probability(grammar: &Grammar, text: &str) -> f64 {
    let mut product = 1.0;
    let mut read = String::new();
    for c in text.chars().map(Some).chain([None]) {
        let next = grammar.next(&read, 10_000).unwrap();
        product *= next.iter().find(|(other, _)| *other == c).map_or(0.0, |(_, p)| *p);
        read.extend(c);
    }
    product
}

#[test]
fn draws_follow_the_distribution() {
    let grammars = [
        "record = 3: \"a\" | 1: \"b\" * 0..3 | answer(\"ab\" | \"a\" \"b\")",
        "n = 4: \"x\" | 2: \"y\" | 1: \"z\" | 1: \"yz\"\nrecord = unique n * 3 as l pick i from l i",
        "p depth 3 = \"(\" p * 0..2 \")\"\nrecord = p",
        "l = \"a\"..\"b\"\nrecord = l * 1..3 separator \",\" as w answer(sort(w) | reverse(w))",
        "l = \"a\"..\"c\"\nrecord = pick s from (l * 2) (s | l) l",
    ];
    for (seed, text) in grammars.into_iter().enumerate() {
        let grammar = parsed(text);
        let mut rng = rng(seed as u64);
        let count = 40_000;
        let mut seen: HashMap<String, usize> = HashMap::new();
        for _ in 0..count {
            *seen.entry(grammar.draw(&mut rng).text).or_default() += 1;
        }
        let mut covered = 0.0;
        let mut chi_square = 0.0;
        let mut freedom = -1.0;
        for (record, times) in &seen {
            let p = probability(&grammar, record);
            assert!(p > 0.0, "{record:?} cannot be in\n{text}");
            covered += p;
            let expected = p * f64::from(count);
            if expected >= 5.0 {
                chi_square += (*times as f64 - expected).powi(2) / expected;
                freedom += 1.0;
            }
        }
        assert!(covered > 0.999, "{covered} in\n{text}");
        // Four standard deviations of chi-square.
        let most = freedom + 4.0 * (2.0f64 * freedom).sqrt() + 4.0;
        assert!(chi_square < most, "{chi_square} of {most} in\n{text}");
    }
}

#[test]
fn a_seed_draws_the_same_records() {
    for name in EXAMPLES {
        let grammar = parsed(&example(name));
        let draw = |seed| (0..5).map(|_| grammar.draw(&mut rng(seed))).collect::<Vec<_>>();
        let (mut one, mut other) = (rng(7), rng(7));
        for _ in 0..20 {
            assert_eq!(grammar.draw(&mut one), grammar.draw(&mut other));
        }
        assert_ne!(draw(1), draw(2));
    }
}

/// The longest record has the longest name asked for, whose line the list has too.
#[test]
fn a_part_counts_as_long_as_it_is() {
    let grammar = parsed(&example("phone_book").replace("line * 2", "line * 3"));
    let longest = (0..500).map(|seed| grammar.draw(&mut rng(seed)).text.chars().count()).max();
    // Two names have four letters, and the bound has such a name in every line.
    assert_eq!((longest, grammar.longest()), (Some(47), 48));
    let nested = parsed(
        "digit = \"0\"..\"9\"\n\
         group = digit * 1..3 as all \";\"\n\
         record = group * 2 as groups pick one from groups reverse(one.all)",
    );
    assert_eq!(nested.longest(), 2 * 4 + 3);
}

#[test]
fn examples_are_short_and_draw_what_they_say() {
    for name in EXAMPLES {
        let text = example(name);
        assert!(text.lines().count() <= 15);
        let grammar = parsed(&text);
        for seed in 0..200 {
            let drawn = grammar.draw(&mut rng(seed));
            let length = drawn.text.chars().count();
            assert_eq!(length, drawn.is_answer.len());
            assert!(length <= grammar.longest());
            assert!(drawn.text.chars().all(|c| grammar.alphabet().contains(&c)));
            let answer: String = drawn
                .text
                .chars()
                .zip(&drawn.is_answer)
                .filter(|(_, is)| **is)
                .map(|(c, _)| c)
                .collect();
            let first = drawn.is_answer.iter().position(|is| *is);
            let question: String = drawn.text.chars().take(first.unwrap_or(0)).collect();
            match name {
                "copying" => assert_eq!(question, format!("{answer}|")),
                "reversal" => {
                    assert_eq!(question, format!("{}|", answer.chars().rev().collect::<String>()));
                    assert_eq!(drawn.given, question.chars().count());
                }
                "sorting" => {
                    let mut row: Vec<&str> = question.trim_end_matches(" -> ").split(' ').collect();
                    row.sort_by_key(|number| number.parse::<u32>().unwrap());
                    assert_eq!(answer, row.join(" "));
                }
                "phone_book" => {
                    let (book, asked) = question.split_once("---\n").unwrap();
                    assert!(
                        book.lines().any(|line| line == format!("{asked}{answer}")),
                        "{}",
                        drawn.text
                    );
                    let mut names: Vec<&str> =
                        book.lines().map(|line| line.split(':').next().unwrap()).collect();
                    names.sort_unstable();
                    names.dedup();
                    assert_eq!(names.len(), 2);
                }
                _ => {
                    let mut open = Vec::new();
                    for c in drawn.text.trim_end().chars() {
                        match c {
                            '(' => open.push(')'),
                            '[' => open.push(']'),
                            c => assert_eq!(open.pop(), Some(c)),
                        }
                        assert!(open.len() <= 4);
                    }
                    assert!(open.is_empty());
                }
            }
        }
    }
}

#[test]
fn a_record_has_the_fields_of_its_characters() {
    let drawn = parsed(&example("reversal")).draw(&mut rng(1));
    let record = Record::from(drawn.clone());
    assert_eq!((record.text.as_str(), record.given), (drawn.text.as_str(), drawn.given));
    let (question, answer) = drawn.text.trim_end().split_once('|').unwrap();
    assert_eq!(record.part(Field::Answer), answer);
    assert_eq!(record.part(Field::Question), format!("{question}|\n"));
    // Nothing precedes the first character, so it is given.
    assert_eq!(Record::from(parsed("record = \"ab\"").draw(&mut rng(1))).given, 1);
}

#[test]
fn estimates_agree_with_counts() {
    let grammars = [
        example("copying"),
        example("reversal"),
        example("brackets"),
        example("phone_book"),
        "line = (\"A\" | \"B\") as who \"0\"..\"1\" as number
         record = line * 2 as book \"?\" pick asked from book asked.who answer(asked.number)"
            .to_owned(),
        "l = \"a\"..\"c\"\nrecord = l * 0..4 as w answer(w | l) | \"ab\" * 0..3".to_owned(),
    ];
    for text in &grammars {
        let grammar = parsed(text);
        let floor = counted(&grammar);
        let estimate = grammar.estimate(800, 10_000, &mut rng(3)).unwrap();
        let means = [estimate.answer, estimate.rest, estimate.record];
        for (mean, part) in means.into_iter().zip([floor.answer, floor.rest, floor.record()]) {
            assert!(
                (mean.nats - part.nats).abs() < 4.0 * mean.error + 1e-9,
                "{mean:?} {part:?}\n{text}"
            );
            assert!(
                (mean.chars - part.chars).abs() < 0.05 * part.chars.max(1.0) + 0.3,
                "{mean:?} {part:?}"
            );
        }
    }
}

#[test]
fn an_estimate_says_when_derivations_are_too_many() {
    let grammar =
        parsed("l = \"a\"..\"z\"\nrecord = \"\\n\"\n  pick secret from (l * 4) l answer(secret)");
    assert!(grammar.next("\n", 10_000).is_none());
    let refusal = grammar.estimate(3, 10_000, &mut rng(1)).unwrap_err();
    assert_eq!(refusal.line, 2);
    assert!(refusal.sentence.contains("10000"), "{refusal}");
}

#[test]
fn nothing_follows_what_begins_no_record() {
    let grammar = parsed("record = \"ab\" | \"ac\"");
    assert_eq!(grammar.next("b", 100), Some(vec![]));
    assert_eq!(grammar.next("abc", 100), Some(vec![]));
    assert_eq!(grammar.next("ab", 100), Some(vec![(None, 1.0)]));
    assert_eq!(grammar.next("a", 100), Some(vec![(Some('b'), 0.5), (Some('c'), 0.5)]));
}
