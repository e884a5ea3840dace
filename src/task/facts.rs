//! Questions, each with a sentence that states the fact and its answer. Held out are whole facts, which are learnt by
//! heart or not at all, or single wordings of facts that are trained on in others.

mod generate;

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;

use super::prefixes::Prefixes;
use super::source::{RecordSource, has_answer, spelled};
use super::split::{Split, below, hold_out, shuffle};
use crate::config::{ConfigError, FactsConfig, FactsSplit};
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

/// `{B}Question? (Sentence): Answer{E}`: the first facts of the world, a tenth of them or of their wordings held out.
#[derive(Clone, Debug)]
pub struct Facts {
    train: Vec<Record>,
    validation: Vec<Record>,
    prefixes: Prefixes,
    /// Facts trained on, in one wording or more.
    trained: usize,
}

impl Facts {
    /// Options outside their range are taken as the nearest that is in it.
    ///
    /// # Errors
    /// If there is no wording to hold out where the split is by wording.
    pub fn new(config: &FactsConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let facts = world(config);
        let held_out = match config.split {
            FactsSplit::Facts => hold_out_facts(&facts),
            FactsSplit::Wording => hold_out_wordings(&facts),
        };
        let trained = held_out.iter().filter(|wordings| wordings.contains(&false)).count();
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        let records = facts.into_iter().flat_map(|fact| fact.records);
        for (record, held_out) in records.zip(held_out.into_iter().flatten()) {
            if held_out { validation.push(record) } else { train.push(record) }
        }
        let prefixes = Prefixes::of_records(&train);
        Ok(Self { train, validation, prefixes, trained })
    }

    /// Number of facts written by hand; they come first.
    pub fn hand_written() -> usize {
        HAND_WRITTEN.lines().count()
    }

    /// Number of facts trained on, in one wording or more.
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

    /// Wordings of a fact follow each other.
    fn records(&self, split: Split) -> &[Record] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
        }
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

    /// The fact, which holds the answer: whoever is given it need not know it.
    fn answer_start(&self, record: &Record) -> Option<usize> {
        record.fields.iter().position(|field| *field == Field::Fact)
    }

    fn is_by_heart(&self) -> bool {
        true
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

/// Holds out whole facts: `[fact, wording]`, true for all wordings of a fact or for none.
fn hold_out_facts(facts: &[Fact]) -> Vec<Vec<bool>> {
    let keys: Vec<&str> = facts.iter().map(|fact| fact.key.as_str()).collect();
    hold_out(&keys)
        .into_iter()
        .zip(facts)
        .map(|(held, fact)| vec![held; fact.records.len()])
        .collect()
}

/// A tenth of all wordings is held out, at least one, but no more than one of a fact and none of a fact that has no
/// other.
fn hold_out_wordings(facts: &[Fact]) -> Vec<Vec<bool>> {
    let mut held_out: Vec<Vec<bool>> =
        facts.iter().map(|fact| vec![false; fact.records.len()]).collect();
    let wordings: usize = held_out.iter().map(Vec::len).sum();
    let mut several: Vec<usize> =
        (0..facts.len()).filter(|fact| held_out[*fact].len() > 1).collect();
    shuffle(&mut several);
    // Each wording in its turn, so that training lacks none more than another.
    for (turn, fact) in several.into_iter().take((wordings / 10).max(1)).enumerate() {
        let count = held_out[fact].len();
        held_out[fact][turn % count] = true;
    }
    held_out
}

/// The first facts of a world, generated ones in some wordings each. Those written by hand are true, so other worlds
/// than 0 have none.
fn world(config: &FactsConfig) -> Vec<Fact> {
    let count = config.facts.clamp(MIN_FACTS, MAX_FACTS);
    let repetitions = config.repetitions.clamp(1, MAX_WORDINGS);
    let number = config.shuffle;
    let hand_written = if number == 0 { HAND_WRITTEN } else { "" };
    let hand_written = hand_written.lines().take(config.hand_written).map(|line| {
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
