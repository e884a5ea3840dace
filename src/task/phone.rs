//! The phone book: names and numbers are listed, then one line is repeated. Recalling its number
//! takes a look back at the list; nothing else in the record tells it.

mod floor;
mod names;
mod next;
mod number;

use std::fmt::Write;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::prefixes::Prefixes;
use super::source::{RecordSource, spelled};
use super::split::{self, MAX_DRAWS, Split, below, draw_of};
use crate::config::{AnswerRule, MAX_NAMES_BYTES, PhoneConfig};
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;
use number::Rules;

/// The characters of every record, but for [`UNKNOWN`].
const ALPHABET: &str = "\n -0123456789:=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz{}";

const BEGIN: &str = "{B}\n";
const SEPARATOR: &str = "=========\n";
const END: &str = "{E}\n";
/// The mark in place of a number, after a name that no line has.
pub const UNKNOWN: &str = "?";

const NAMES: &str = include_str!("data/names.txt");
const MAX_LINES: usize = 5;

/// `{B}`, lines `First Last: NNN-NNN-NNNN`, `=========`, one of the lines again, `{E}`. With
/// `unknown`, the name after the separator is, in that share of records, drawn from the whole book;
/// if no line has it, its number is `?`.
#[derive(Clone, Debug)]
pub struct Phone {
    lines: usize,
    /// In the order of the list, so that a seed draws the same in every version.
    names: Vec<String>,
    /// True if the user brought the names.
    has_own_names: bool,
    /// The same names, by their beginnings.
    prefixes: Prefixes,
    answer: AnswerRule,
    unknown: f64,
    rules: Rules,
}

/// A line of the book.
#[derive(Clone, Debug)]
struct Entry<'a> {
    name: [&'a str; 2],
    /// `None`: not known, written [`UNKNOWN`].
    number: Option<Vec<u8>>,
}

impl Phone {
    /// Options outside their range are taken as the nearest that is in it.
    ///
    /// # Errors
    /// A sentence on the line of the user's own names that is none.
    pub fn new(config: &PhoneConfig) -> Result<Self, String> {
        let own = &config.own_names;
        if own.len() > MAX_NAMES_BYTES {
            return Err(format!(
                "the names are {} bytes long; shorten them to {MAX_NAMES_BYTES} or less",
                own.len()
            ));
        }
        let has_own_names = !own.trim().is_empty();
        let names = if has_own_names { names::read(own)? } else { NAMES.lines().collect() };
        let names: Vec<String> =
            names.into_iter().take(config.names.max(2)).map(String::from).collect();
        Ok(Self {
            lines: config.lines.clamp(1, MAX_LINES),
            prefixes: Prefixes::new(names.iter()),
            names,
            has_own_names,
            answer: config.answer,
            unknown: config.unknown.clamp(0.0, 1.0),
            rules: number::PUBLISHED,
        })
    }

    /// True if `text` has the form of a name: a capital and small letters as the names of the census, or what a name
    /// of a user may be.
    pub fn has_form_of_name(&self, text: &str) -> bool {
        let is_capitalized = text.starts_with(|c: char| c.is_ascii_uppercase())
            && text[1..].bytes().all(|c| c.is_ascii_lowercase());
        is_capitalized || self.has_own_names && names::is_name(text)
    }

    /// Length of the longest line that a record may have, in characters.
    pub fn longest_line(&self) -> usize {
        let entry = Entry { name: [""; 2], number: Some(vec![0; self.rules.digits]) };
        let mut line = Record::new();
        push_line(&mut line, &self.rules, &entry, [Field::Name, Field::Digit]);
        line.len() + 2 * self.longest_name()
    }

    fn longest_name(&self) -> usize {
        self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0)
    }

    /// A name that is not among `listed`; `None` if hardly any is left.
    pub fn stranger(&self, listed: &[String], rng: &mut ChaCha8Rng) -> Option<String> {
        (0..MAX_DRAWS).map(|_| self.name(rng).join(" ")).find(|name| !listed.contains(name))
    }

    /// True if some records ask for a name that no line has.
    pub fn abstains(&self) -> bool {
        self.unknown > 0.0
    }

    /// Lines listed in a record.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// A record without its names, the recalled number known or not.
    fn format(&self, is_known: bool) -> Record {
        let entry = Entry { name: [""; 2], number: Some(vec![0; self.rules.digits]) };
        let number = entry.number.clone().filter(|_| is_known);
        let recalled = Entry { number, ..entry };
        record(&self.rules, &vec![entry; self.lines], &recalled)
    }

    fn name(&self, rng: &mut ChaCha8Rng) -> [&str; 2] {
        [(); 2].map(|()| self.names[below(rng, self.names.len())].as_str())
    }

    fn list(&self, rng: &mut ChaCha8Rng) -> Vec<Entry<'_>> {
        (0..self.lines)
            .map(|_| Entry { name: self.name(rng), number: Some(self.rules.draw(rng)) })
            .collect()
    }
}

impl RecordSource for Phone {
    /// Draws a record. Its split hangs on its list alone, so that no list of training comes back in
    /// validation with another line recalled.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let list = draw_of(split, || self.list(rng), |list| split_of(list));
        let asks_book = self.unknown > 0.0 && rng.random_bool(self.unknown);
        let name = if asks_book { Some(self.name(rng)) } else { None };
        let mut recalled = recall(&list, name, rng);
        if self.answer == AnswerRule::Random && recalled.number.is_some() {
            recalled.number = Some(self.rules.draw(rng));
        }
        record(&self.rules, &list, &recalled)
    }

    fn longest(&self) -> usize {
        self.format(true).len() + 2 * self.longest_name() * (self.lines + 1)
    }

    fn floor(&self) -> Option<Floor> {
        Some(self.entropy())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.following(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        let unknown = if self.abstains() { UNKNOWN } else { "" };
        Tokenizer::new(&format!("{ALPHABET}{unknown}{}", self.names.concat()))
    }

    fn odd_prompts(&self, record: &Record, other: &Record) -> Vec<(&'static str, String)> {
        let lines: Vec<&str> = record.text.split_inclusive('\n').collect();
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        let listed = lines.len() - 4; // all but the beginning, the separator, the answer and the end
        let list = lines[..=listed].concat();
        let separator = lines[listed + 1];
        let stranger = name(other.text.split_inclusive('\n').nth(1).unwrap_or_default());
        let same = lines[1..=listed]
            .iter()
            .map(|line| line.replacen(&name(line), &name(lines[1]), 1))
            .collect::<String>();
        vec![
            ("name not on the list", format!("{list}{separator}{stranger}: ")),
            ("one line only", format!("{}{}{separator}", lines[0], lines[1])),
            ("wrong separator", format!("{list}{}\n", "-".repeat(separator.trim_end().len()))),
            ("the same name on every line", format!("{}{same}{separator}", lines[0])),
        ]
    }

    /// The number of the line, without its name.
    fn answer<'a>(&self, written: &'a str) -> &'a str {
        written.rsplit(": ").next().unwrap_or_default()
    }

    /// The number: the name is given, for any line may be recalled.
    fn answer_start(&self, record: &Record) -> Option<usize> {
        let answer = record.fields.iter().position(|field| *field == Field::Answer)?;
        let colon = record.symbols().skip(answer).position(|symbol| symbol == ":")?;
        Some(answer + colon + 2)
    }

    /// True for the `?` of an unlisted name: no training record can have told a number.
    fn is_trained(&self, answer: &str) -> bool {
        answer == UNKNOWN
    }
}

/// One of the lines: any, or any of those with `name`.
fn recall<'a>(list: &[Entry<'a>], name: Option<[&'a str; 2]>, rng: &mut ChaCha8Rng) -> Entry<'a> {
    let lines: Vec<&Entry> =
        list.iter().filter(|entry| name.is_none_or(|name| entry.name == name)).collect();
    match name {
        Some(name) if lines.is_empty() => Entry { name, number: None },
        _ => lines[below(rng, lines.len())].clone(),
    }
}

fn split_of(list: &[Entry]) -> Split {
    let mut text = String::new();
    for Entry { name: [first, last], number } in list {
        let number = number.as_deref().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{first} {last} {number:?}");
    }
    split::split_of(&text)
}

fn record(rules: &Rules, list: &[Entry], recalled: &Entry) -> Record {
    let mut record = Record::new();
    record.push(Field::Marker, BEGIN);
    for entry in list {
        push_line(&mut record, rules, entry, [Field::Name, Field::Digit]);
    }
    record.push(Field::Separator, SEPARATOR);
    push_line(&mut record, rules, recalled, [Field::Answer; 2]);
    record.push(Field::Marker, END);
    record
}

fn push_line(record: &mut Record, rules: &Rules, entry: &Entry, [name, digit]: [Field; 2]) {
    let [first, last] = entry.name;
    record.push(name, first);
    record.push(Field::Separator, " ");
    record.push(name, last);
    record.push(Field::Separator, ": ");
    match &entry.number {
        None => record.push(digit, UNKNOWN),
        Some(number) => {
            for (index, value) in number.iter().enumerate() {
                if rules.hyphens.contains(&index) {
                    record.push(Field::Separator, "-");
                }
                record.push(digit, &value.to_string());
            }
        }
    }
    record.push(Field::Separator, " \n");
}
