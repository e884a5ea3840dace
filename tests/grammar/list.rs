//! Lists of records with their probabilities, and what is counted from them by definition.

use std::collections::HashMap;

use confab::task::grammar::{Counted, Floor, Grammar, Part};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn parsed(text: &str) -> Grammar {
    Grammar::parse(text).unwrap_or_else(|refusal| panic!("{refusal} in\n{text}"))
}

pub fn counted(grammar: &Grammar) -> Floor {
    match grammar.floor(100_000) {
        Counted::Exactly { floor, .. } => floor,
        Counted::Beyond => panic!("beyond"),
    }
}

/// Marks of one character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks {
    pub is_answer: bool,
    pub is_given: bool,
}

/// Records and their probabilities; the same one may be listed more than once.
pub type List = Vec<(Vec<(char, Marks)>, f64)>;

pub fn plain(text: &str) -> Vec<(char, Marks)> {
    text.chars().map(|c| (c, Marks::default())).collect()
}

pub fn answer(text: &str) -> Vec<(char, Marks)> {
    text.chars().map(|c| (c, Marks { is_answer: true, is_given: false })).collect()
}

/// Probability that a record begins so; with a `$` at the end, that it is just this.
pub fn beginnings(list: &List) -> HashMap<String, f64> {
    let mut out: HashMap<String, f64> = HashMap::new();
    for (record, probability) in list {
        let mut text = String::new();
        *out.entry(text.clone()).or_default() += probability;
        for (c, _) in record {
            text.push(*c);
            *out.entry(text.clone()).or_default() += probability;
        }
        text.push('$');
        *out.entry(text).or_default() += probability;
    }
    out
}

fn add(part: &mut Part, weight: f64, nats: f64) {
    part.chars += weight;
    part.nats += weight * nats;
}

/// The floor, by the definition of entropy.
pub fn floor_of(list: &List) -> Floor {
    let masses = beginnings(list);
    let mut out = Floor::default();
    for (record, probability) in list {
        let mut text = String::new();
        let mut before = masses[&text];
        for (index, (c, marks)) in record.iter().enumerate() {
            text.push(*c);
            let mass = masses[&text];
            // The record is known to go on.
            let ends =
                masses.get(&format!("{}$", &text[..text.len() - c.len_utf8()])).unwrap_or(&0.0);
            let nats = ((before - ends) / mass).ln();
            before = mass;
            if marks.is_given || index == 0 {
                continue;
            }
            add(if marks.is_answer { &mut out.answer } else { &mut out.rest }, *probability, nats);
        }
    }
    out
}

pub fn assert_near(one: &Floor, other: &Floor, what: &str) {
    let parts = |floor: &Floor| [floor.answer, floor.rest];
    for (a, b) in parts(one).iter().zip(parts(other)) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(a.chars, b.chars) && near(a.nats, b.nats), "{one:?}\n{other:?}\n{what}");
    }
}

/// Holds what `grammar` says of the next character against the list, after every beginning.
pub fn assert_next(grammar: &Grammar, list: &List, what: &str) {
    let masses = beginnings(list);
    for (text, mass) in masses.iter().filter(|(text, _)| !text.ends_with('$')) {
        let next = grammar.next(text, 100_000).expect("within the limit");
        let total: f64 = next.iter().map(|(_, probability)| probability).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total} after {text:?} in\n{what}");
        for (c, probability) in &next {
            let longer = format!("{text}{}", c.unwrap_or('$'));
            let expected = masses.get(&longer).copied().unwrap_or(0.0) / mass;
            assert!(
                (expected - probability).abs() < 1e-9,
                "{longer:?}: {expected} {probability} in\n{what}"
            );
        }
    }
}
