//! Beginnings of a set of strings, and what may follow them: a trie, kept as a sorted list.

use crate::run::Record;

/// Strings in order, each as likely as the others.
#[derive(Clone, Debug)]
pub struct Prefixes {
    sorted: Vec<String>,
}

impl Prefixes {
    pub fn new(strings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut sorted: Vec<String> = strings.into_iter().map(Into::into).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    pub fn of_records(records: &[Record]) -> Self {
        Self::new(records.iter().map(|record| record.text.as_str()))
    }

    /// The strings that begin with `prefix`.
    fn starting_with(&self, prefix: &str) -> &[String] {
        let from = self.sorted.partition_point(|text| text.as_str() < prefix);
        let count = self.sorted[from..].partition_point(|text| text.starts_with(prefix));
        &self.sorted[from..from + count]
    }

    /// Characters that follow `prefix`, with the number of strings that go on so; `None` is their end.
    pub fn next(&self, prefix: &str) -> Vec<(Option<char>, usize)> {
        let mut out: Vec<(Option<char>, usize)> = Vec::new();
        for text in self.starting_with(prefix) {
            let next = text[prefix.len()..].chars().next();
            match out.last_mut() {
                Some((last, count)) if *last == next => *count += 1,
                _ => out.push((next, 1)),
            }
        }
        out
    }

    /// As [`next`](Self::next), as shares of all that begin with `prefix`, the ended ones left out.
    pub fn shares(&self, prefix: &str) -> Vec<(char, f64)> {
        let next = self.next(prefix);
        let total: usize = next.iter().map(|(_, count)| count).sum();
        let share = |count: usize| count as f64 / total as f64;
        next.into_iter().filter_map(|(next, count)| Some((next?, share(count)))).collect()
    }

    /// For each character of `text` and then for its end: how many strings share what is before
    /// it, and how many of these go on with it.
    pub fn narrowing(&self, text: &str) -> Vec<(usize, usize)> {
        let mut matching = self.sorted.as_slice();
        let mut out = Vec::with_capacity(text.len() + 1);
        for (at, character) in text.char_indices() {
            let before = matching.len();
            let end = at + character.len_utf8();
            let from = matching.partition_point(|other| other.as_str() < &text[..end]);
            let count = matching[from..].partition_point(|other| other.starts_with(&text[..end]));
            matching = &matching[from..from + count];
            out.push((before, count));
        }
        let ends = matching.iter().filter(|other| other.as_str() == text).count();
        out.push((matching.len(), ends));
        out
    }
}
