//! The entropy of a phone record, in closed form.
//!
//! A line of the book is drawn piece by piece: a letter of a name, the end of a name, a digit.
//! Each [`Piece`] narrows the share of lines that the line may still be from `before` to `after`.
//! In the list it costs `ln(before / after)`. In the recalled line only the lines of the list are
//! left to choose from: with `n` of them sharing what is written so far, it costs
//! `ln(n before) − ln(n after)`, where `n − 1` of the other `lines − 1` lines share it by chance.
//! With abstaining, its name is drawn from a mixture of the list and the whole book.

use std::collections::HashMap;

use super::Phone;
use super::number::State;
use crate::config::AnswerRule;
use crate::run::Field;
use crate::run::Floor;
use crate::task::floor::Sums;

/// A step in drawing a line, over all lines that take an equal one.
struct Piece {
    kind: Kind,
    /// Number of such steps that a line is expected to take.
    steps: f64,
    /// Probability of what a line is before the step, and after it.
    before: f64,
    after: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    /// The character after a name's last letter.
    End,
    Digit,
}

impl Phone {
    /// The least loss of any model on a record. The hash that holds lists out is left aside: it is no
    /// rule that could be learned, and would tell less than 0.07 nats a record.
    pub(super) fn entropy(&self) -> Floor {
        let mut sums = Sums::default();
        let lines = self.lines as f64;
        let named = self.named();
        let known = 1.0 - self.unknown * (1.0 - named).powi(self.lines as i32);
        // The format, without names, costs nothing; its first character is not predicted.
        for (is_known, share) in [(true, known), (false, 1.0 - known)] {
            let format = self.format(is_known);
            format.fields.iter().skip(1).for_each(|field| sums.add(*field, share, 0.0));
        }

        let fresh = self.answer == AnswerRule::Random;
        for Piece { kind, steps, before, after } in self.pieces() {
            let is_letter = if kind == Kind::Letter { steps } else { 0.0 };
            let listed = steps * (before / after).ln();
            sums.add(field(kind, false), lines * is_letter, lines * listed);
            let recalled = match kind {
                Kind::Digit if fresh => known * listed,
                Kind::Digit => steps * (self.sharing(before) - self.sharing(after)),
                Kind::Letter | Kind::End => steps * (self.naming(before) - self.naming(after)),
            };
            sums.add(field(kind, true), is_letter, recalled);
        }
        sums.floor()
    }

    /// Probability that a line has a given name.
    fn named(&self) -> f64 {
        (self.names.len() as f64).powi(-2)
    }

    /// Expected ln of the probability that the recalled line begins as it does, for a beginning
    /// of a name that a line has with probability `p`.
    fn naming(&self, p: f64) -> f64 {
        let ln = |sharing: usize| self.beginning(sharing, p).ln();
        let listed: f64 = binomial(self.lines - 1, p).map(|(n, share)| share * ln(n + 1)).sum();
        if self.unknown == 0.0 {
            return listed;
        }
        let of_book: f64 = binomial(self.lines, p).map(|(n, share)| share * ln(n)).sum();
        (1.0 - self.unknown) * listed + self.unknown * of_book
    }

    /// Probability that the recalled line begins as it does, given the list, of which `sharing`
    /// lines do; any line does with probability `p`.
    fn beginning(&self, sharing: usize, p: f64) -> f64 {
        (1.0 - self.unknown) * sharing as f64 / self.lines as f64 + self.unknown * p
    }

    /// Expected ln of how many listed lines share the recalled line's beginning, its name and some
    /// digits, which a line has with probability `p`; 0 where the number is not known.
    fn sharing(&self, p: f64) -> f64 {
        let ln = |others, p| binomial(others, p).map(|(n, share)| share * (1.0 + n as f64).ln());
        let listed: f64 = ln(self.lines - 1, p).sum();
        let named = self.named();
        let of_book = |(lines, share): (usize, f64)| match lines.checked_sub(1) {
            Some(others) => share * ln(others, p / named).sum::<f64>(),
            None => 0.0,
        };
        let of_book: f64 = binomial(self.lines, named).map(of_book).sum();
        (1.0 - self.unknown) * listed + self.unknown * of_book
    }

    fn pieces(&self) -> Vec<Piece> {
        let names = self.names.len() as f64;
        let mut out = Vec::new();
        // A line's first name, then its last, of which each first name has a book of its own.
        for known in [1.0, 1.0 / names] {
            for name in &self.names {
                for (place, (before, after)) in
                    self.prefixes.narrowing(name).into_iter().enumerate()
                {
                    let kind = if place == name.chars().count() { Kind::End } else { Kind::Letter };
                    let share = |count: usize| known * count as f64 / names;
                    let (before, after) = (share(before), share(after));
                    out.push(Piece { kind, steps: 1.0 / names, before, after });
                }
            }
        }
        let named = self.named();
        // Numbers so far, by what matters of them: how many, and the probability of each.
        let mut level: HashMap<(State, u64), f64> =
            HashMap::from([((State::default(), 1.0f64.to_bits()), 1.0)]);
        while !level.is_empty() {
            let mut next = HashMap::new();
            for (&(state, p), count) in &level {
                let p = f64::from_bits(p);
                let choices = self.rules.choices(state);
                let each = p / choices.len() as f64;
                for digit in choices {
                    let steps = count * each;
                    out.push(Piece {
                        kind: Kind::Digit,
                        steps,
                        before: named * p,
                        after: named * each,
                    });
                    *next.entry((self.rules.after(state, digit), each.to_bits())).or_default() +=
                        count;
                }
            }
            level = next;
        }
        out
    }
}

/// The binomial distribution: the probabilities of `0..=n` successes in `n` trials, each with probability `p`.
fn binomial(n: usize, p: f64) -> impl Iterator<Item = (usize, f64)> {
    let choose = move |k: usize| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    (0..=n).map(move |k| (k, choose(k) * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)))
}

fn field(kind: Kind, recalled: bool) -> Field {
    match (kind, recalled) {
        (Kind::End, _) => Field::Separator,
        (_, true) => Field::Answer,
        (Kind::Letter, false) => Field::Name,
        (Kind::Digit, false) => Field::Digit,
    }
}

#[cfg(test)]
mod tests {
    use crate::task::phone::number::TWO_DIGITS;
    use super::*;
    use crate::task::phone::{Entry, names, record};
    use crate::run::Record;
    use crate::task::prefixes::Prefixes;
    use crate::task::{Task, surprisals};

    fn tiny(names: &str, answer: AnswerRule, unknown: f64) -> Phone {
        let names: Vec<String> = names::read(names).unwrap().into_iter().map(String::from).collect();
        let prefixes = Prefixes::new(names.iter());
        Phone { lines: 2, names, prefixes, has_own_names: true, answer, unknown, rules: TWO_DIGITS }
    }

    /// Every record there is, with its probability.
    fn every_record(phone: &Phone) -> Vec<(Record, f64)> {
        let numbers: Vec<Vec<u8>> =
            (0..3).flat_map(|a| (0..3).filter(move |b| a != *b).map(move |b| vec![a, b])).collect();
        let pairs = || phone.names.iter().flat_map(|a| phone.names.iter().map(move |b| [a.as_str(), b.as_str()]));
        let mut lines = Vec::new();
        for name in pairs() {
            lines.extend(numbers.iter().map(|n| Entry { name, number: Some(n.clone()) }));
        }
        let each = (lines.len() as f64).powi(-2);
        let book = each * phone.unknown / pairs().count() as f64;
        let mut out = Vec::new();
        for list in lines.iter().flat_map(|a| lines.iter().map(move |b| [a.clone(), b.clone()])) {
            let mut push = |recalled: &Entry, p: f64| match phone.answer {
                AnswerRule::Random if recalled.number.is_some() => {
                    out.extend(numbers.iter().map(|number| {
                        let recalled = Entry { number: Some(number.clone()), ..recalled.clone() };
                        (record(&phone.rules, &list, &recalled), p / numbers.len() as f64)
                    }));
                }
                _ => out.push((record(&phone.rules, &list, recalled), p)),
            };
            list.iter().for_each(|line| push(line, each * (1.0 - phone.unknown) / 2.0));
            for name in pairs() {
                let with_it: Vec<_> = list.iter().filter(|line| line.name == name).collect();
                match with_it.len() {
                    0 => push(&Entry { name, number: None }, book),
                    n => with_it.into_iter().for_each(|line| push(line, book / n as f64)),
                }
            }
        }
        out
    }

    /// The text up to each of its characters, the whole text last.
    fn beginnings(text: &str) -> impl Iterator<Item = &str> {
        text.char_indices().map(|(at, c)| &text[..at + c.len_utf8()])
    }

    /// Costs of the characters after the first, by the probability of all records that begin so.
    fn counted_costs(text: &str, mass: &HashMap<&str, f64>) -> Vec<f64> {
        let masses: Vec<f64> = beginnings(text).map(|begun| mass[begun]).collect();
        masses.windows(2).map(|pair| (pair[0] / pair[1]).ln()).collect()
    }

    #[test]
    fn the_floor_is_that_of_counting_every_record() {
        let settings = [0.0, 0.3, 1.0].map(|unknown| {
            [AnswerRule::List, AnswerRule::Random].map(|answer| ("Ann\nAl\nAnna", answer, unknown))
        });
        // Names that begin alike but for what is no letter of English, one of them twice in the list.
        let own = ["Zo\u{eb}-A\nZo\u{eb}\nZo'\nZo\u{eb}"];
        let own = own.map(|names| (names, AnswerRule::List, 0.3));
        for (names, answer, unknown) in settings.into_iter().flatten().chain(own) {
            let phone = tiny(names, answer, unknown);
            let mut records = every_record(&phone);
            records.retain(|(_, p)| *p > 0.0);
            let mut mass: HashMap<&str, f64> = HashMap::new();
            for (record, p) in &records {
                for begun in beginnings(&record.text) {
                    *mass.entry(begun).or_default() += p;
                }
            }
            let mut sums = Sums::default();
            for (record, p) in &records {
                for (field, cost) in record.fields[1..].iter().zip(counted_costs(&record.text, &mass)) {
                    sums.add(*field, *p, p * cost);
                }
            }
            let (counted, floor) = (sums.floor(), phone.entropy());
            for (a, b) in floor.fields.iter().zip(&counted.fields) {
                assert_eq!(a.field, b.field);
                assert!(
                    (a.nats - b.nats).abs() < 1e-9,
                    "{answer:?} {unknown}: {a:?} against {b:?}"
                );
                assert!((a.chars - b.chars).abs() < 1e-9, "{answer:?}: {a:?} against {b:?}");
            }
            assert!((floor.nats_per_char - counted.nats_per_char).abs() < 1e-9);

            let task = Task::from(phone);
            for (record, _) in records.iter().step_by(997) {
                let costs = surprisals(&task, record.symbols());
                for (cost, counted) in costs[1..].iter().zip(counted_costs(&record.text, &mass)) {
                    assert!((cost.unwrap() - counted).abs() < 1e-9, "{:?}", record.text);
                }
            }
        }
    }
}
