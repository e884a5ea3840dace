//! The probes of a task, and the sources of answers to them.

use super::{Split, Task, UNKNOWN};
use crate::base::random::stream_rng;
use crate::run::{AnswerSource, Probe};
use crate::run::{Field, Record};

const STREAM: u64 = u64::MAX - 2;

impl Task {
    /// The probes of this task, made from one held-out record; none for a text.
    pub fn probes(&self, seed: u64) -> Vec<Probe> {
        let draw = |stream| self.draw(Split::Validation, 0, &mut stream_rng(seed, stream));
        let (record, other) = (draw(STREAM), draw(STREAM - 1));
        let probes = match self {
            Task::Phone(_) => phone_probes(&record.text, &other.text),
            Task::Facts(_) => facts_probes(&record),
            Task::Text(_) | Task::Induction(_) | Task::Modular(_) => return Vec::new(),
        };
        let general = [("nothing but the beginning", "{B}"), ("empty prompt", "\n")];
        let general = general.map(|(name, prompt)| (name, prompt.to_owned()));
        let all = probes.into_iter().chain(general);
        all.map(|(name, prompt)| Probe { name: name.into(), prompt }).collect()
    }

    /// Source of the answer in `written`, the text that a model wrote after `prompt`. For `phone` it is
    /// the number, which no training record can have told, but for the `?` of an unlisted name.
    pub fn source(&self, prompt: &str, written: &str) -> AnswerSource {
        let answer = match self {
            Task::Phone(_) => written.rsplit(": ").next().unwrap_or_default(),
            _ => written,
        };
        let answer = answer.split("{E}").next().unwrap_or_default().trim();
        if answer.is_empty() {
            return AnswerSource::Neither;
        }
        let is_trained = match self {
            Task::Phone(_) => answer == UNKNOWN,
            Task::Facts(task) => has_answer(task.records(Split::Train), answer),
            Task::Text(task) => {
                task.records(Split::Train).is_some_and(|records| has_answer(records, answer))
            }
            Task::Induction(_) | Task::Modular(_) => false,
        };
        match prompt.contains(answer) {
            true => AnswerSource::Context,
            false if is_trained => AnswerSource::Training,
            false => AnswerSource::Neither,
        }
    }
}

fn has_answer(records: &[Record], answer: &str) -> bool {
    records.iter().any(|record| record.part(Field::Answer) == answer)
}

fn phone_probes(record: &str, other: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = record.split_inclusive('\n').collect();
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let listed = lines.len() - 4; // all but the beginning, the separator, the answer and the end
    let list = lines[..=listed].concat();
    let separator = lines[listed + 1];
    let stranger = name(other.split_inclusive('\n').nth(1).unwrap_or_default());
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

fn facts_probes(record: &Record) -> Vec<(&'static str, String)> {
    let [question, fact] = [Field::Question, Field::Fact].map(|field| record.part(field));
    vec![
        ("no fact given", format!("{{B}}{question} (): ")),
        ("no question asked", format!("{{B}} ({fact}): ")),
        ("question only", format!("{{B}}{question}")),
    ]
}
