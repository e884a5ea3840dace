//! Every record of a small vocabulary, written out from the grammar.

use std::collections::BTreeMap;

use confab::config::WordsConfig;
use confab::task::{Asked, Sentences};

/// Probability of an adjective before a subject or an object, of an object, and of an end where one is allowed.
const ADJECTIVE: f64 = 0.3;
pub const OBJECT: f64 = 0.6;
const STOP: f64 = 0.25;

/// Outputs of each input, each with the probability of both.
pub type Records = BTreeMap<String, BTreeMap<String, f64>>;

/// A place in a clause: what comes next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// An adjective or the subject.
    Subject,
    Verb,
    /// An object or the next clause.
    AfterVerb,
    /// An adjective or the object.
    Object,
}

/// Every record, written out from the grammar as docs/tasks.md tells it.
pub struct Enumeration<'a> {
    words: Vec<(&'a str, [bool; 3])>,
    min: usize,
    max: usize,
    asked: Asked,
    records: Records,
}

impl Enumeration<'_> {
    pub fn of(config: &WordsConfig, asked: Asked, task: &Sentences) -> Records {
        let words = task.vocabulary().collect();
        let (min, max) = (config.min_letters, config.max_letters.max(config.min_letters));
        let mut all = Enumeration { words, min, max, asked, records: Records::new() };
        all.go_on(Next::Subject, "", "", 1.0);
        all.records
    }

    fn go_on(&mut self, next: Next, text: &str, tags: &str, probability: f64) {
        match next {
            Next::Subject => {
                self.write(2, 'a', Next::Subject, text, tags, probability * ADJECTIVE);
                self.write(0, 's', Next::Verb, text, tags, probability * (1.0 - ADJECTIVE));
            }
            Next::Verb => self.write(1, 'v', Next::AfterVerb, text, tags, probability),
            Next::AfterVerb => {
                self.go_on(Next::Object, text, tags, probability * OBJECT);
                self.go_on(Next::Subject, text, tags, probability * (1.0 - OBJECT));
            }
            Next::Object => {
                self.write(2, 'a', Next::Object, text, tags, probability * ADJECTIVE);
                self.write(0, 'n', Next::Subject, text, tags, probability * (1.0 - ADJECTIVE));
            }
        }
    }

    fn write(&mut self, class: usize, tag: char, next: Next, text: &str, tags: &str, p: f64) {
        let words: Vec<&str> = self
            .words
            .iter()
            .filter(|(_, classes)| classes[class])
            .map(|(word, _)| *word)
            .collect();
        for word in &words {
            let p = p / words.len() as f64;
            let text = if text.is_empty() { (*word).to_owned() } else { format!("{text} {word}") };
            let tags = format!("{tags}{tag}");
            let letters = text.replace(' ', "").len();
            let ends = match letters {
                _ if letters >= self.max => 1.0,
                _ if letters >= self.min => STOP,
                _ => 0.0,
            };
            if ends > 0.0 {
                let (input, output) = match self.asked {
                    Asked::Spaces => (text.replace(' ', ""), &text),
                    Asked::Tags => (text.clone(), &tags),
                };
                let outputs = self.records.entry(input).or_default();
                *outputs.entry(output.clone()).or_insert(0.0) += p * ends;
            }
            if ends < 1.0 {
                self.go_on(next, &text, &tags, p * (1.0 - ends));
            }
        }
    }
}
