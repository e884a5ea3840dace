//! Questions, each with a sentence that states the fact and its answer. A fact is learnt by heart
//! or not at all: all wordings of a fact are trained on, or all of them are held out.

mod generate;

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;

use super::prefixes::Prefixes;
use super::source::{RecordSource, has_answer, spelled};
use super::split::{Split, below, hold_out};
use crate::config::FactsConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// The characters of every record.
const ALPHABET: &str =
    "\n '(),-.0123456789:?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz{}";

/// The most facts and wordings there are.
const MAX_FACTS: usize = 5000;
const MAX_WORDINGS: usize = 4;
/// One to train on and one to hold out.
const MIN_FACTS: usize = 2;

/// One fact a line: category, question, sentence, answer.
const HAND_WRITTEN: &str = include_str!("data/facts.tsv");
/// One wording a line: kind, category, question, sentence.
const WORDINGS: &str = include_str!("data/wordings.tsv");

/// `{B}Question? (Sentence): Answer{E}`: the first facts of the world, a tenth held out.
#[derive(Clone, Debug)]
pub struct Facts {
    train: Vec<Record>,
    validation: Vec<Record>,
    prefixes: Prefixes,
    /// Facts trained on.
    trained: usize,
}

impl Facts {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &FactsConfig) -> Self {
        let facts = world(
            config.facts.clamp(MIN_FACTS, MAX_FACTS),
            config.repetitions.clamp(1, MAX_WORDINGS),
            config.shuffle,
        );
        let keys: Vec<&str> = facts.iter().map(|fact| fact.key.as_str()).collect();
        let held_out = hold_out(&keys);
        let trained = held_out.iter().filter(|held_out| !**held_out).count();
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for (fact, held_out) in facts.into_iter().zip(held_out) {
            if held_out { &mut validation } else { &mut train }.extend(fact.records);
        }
        let prefixes = Prefixes::of_records(&train);
        Self { train, validation, prefixes, trained }
    }

    /// Number of facts written by hand; they come first.
    pub fn hand_written() -> usize {
        HAND_WRITTEN.lines().count()
    }

    /// Every record of `split`, each with its category; wordings of a fact follow each other.
    pub fn records(&self, split: Split) -> &[Record] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
        }
    }

    /// Number of facts trained on.
    pub fn trained(&self) -> usize {
        self.trained
    }

    /// Number of different answers in the training records, and their entropy, in bits.
    pub fn answers(&self) -> (usize, f64) {
        let mut counts: HashMap<String, f64> = HashMap::new();
        for record in &self.train {
            *counts.entry(record.part(Field::Answer)).or_default() += 1.0;
        }
        let total = self.train.len() as f64;
        let entropy = counts.values().map(|count| count / total * (total / count).log2()).sum();
        (counts.len(), entropy)
    }
}

impl RecordSource for Facts {
    /// Draws evenly among the records of `split`.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let records = self.records(split);
        records[below(rng, records.len())].clone()
    }

    fn longest(&self) -> usize {
        self.train.iter().chain(&self.validation).map(Record::len).max().unwrap_or(0)
    }

    fn floor(&self) -> Option<Floor> {
        Some(Floor::of_records(&self.train, &self.prefixes))
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.prefixes.shares(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(ALPHABET)
    }

    fn odd_prompts(&self, record: &Record, _other: &Record) -> Vec<(&'static str, String)> {
        let [question, fact] = [Field::Question, Field::Fact].map(|field| record.part(field));
        vec![
            ("no fact given", format!("{{B}}{question} (): ")),
            ("no question asked", format!("{{B}} ({fact}): ")),
            ("question only", format!("{{B}}{question}")),
        ]
    }

    fn is_trained(&self, answer: &str) -> bool {
        has_answer(&self.train, answer)
    }
}

/// A fact in all its wordings.
struct Fact {
    /// The same for facts that tell each other.
    key: String,
    records: Vec<Record>,
}

/// The first `count` facts, generated ones in `repetitions` wordings each. Those written by hand are true, so
/// other worlds than 0 have none.
fn world(count: usize, repetitions: usize, number: usize) -> Vec<Fact> {
    let hand_written = if number == 0 { HAND_WRITTEN } else { "" };
    let hand_written = hand_written.lines().map(|line| {
        let [category, question, sentence, answer] = columns(line);
        let records = vec![record(category, question, sentence, answer)];
        Fact { key: question.to_string(), records }
    });
    let mut wordings: HashMap<&str, Vec<[&str; 3]>> = HashMap::new();
    for line in WORDINGS.lines() {
        let [kind, category, question, sentence] = columns(line);
        wordings.entry(kind).or_default().push([category, question, sentence]);
    }
    let mut items = generate::items();
    if number > 0 {
        items.truncate(count);
        generate::deal(&mut items, number);
    }
    let generated = items.into_iter().map(|item| {
        let fill = |text: &str| {
            text.replace("{a}", &item.a).replace("{b}", &item.b).replace("{z}", &item.answer)
        };
        let records = wordings[item.kind]
            .iter()
            .take(repetitions)
            .map(|[category, question, sentence]| {
                record(category, &fill(question), &fill(sentence), &item.answer)
            })
            .collect();
        Fact { key: item.key, records }
    });
    hand_written.chain(generated).take(count).collect()
}

/// The columns of a line of a table; missing ones are empty.
fn columns(line: &str) -> [&str; 4] {
    let mut columns = line.split('\t');
    [(); 4].map(|()| columns.next().unwrap_or_default())
}

fn record(category: &str, question: &str, sentence: &str, answer: &str) -> Record {
    let mut record = Record::new();
    record.push(Field::Marker, "{B}");
    record.push(Field::Question, question);
    record.push(Field::Separator, " (");
    record.push(Field::Fact, sentence);
    record.push(Field::Separator, "): ");
    record.push(Field::Answer, answer);
    record.push(Field::Marker, "{E}\n");
    record.category = Some(category.to_string());
    record
}
