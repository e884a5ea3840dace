//! The characters that may follow the beginning of a phone record, each with its probability.

use super::Phone;
use super::number::State;
use crate::config::AnswerRule;

impl Phone {
    /// Characters that may follow `prefix`, a possible beginning of a record, with their probabilities.
    pub(super) fn following(&self, prefix: &str) -> Vec<(char, f64)> {
        let Some(body) = prefix.strip_prefix(super::BEGIN) else {
            return rest_of(super::BEGIN, prefix);
        };
        let whole: Vec<&str> = body.split_inclusive('\n').filter(|l| l.ends_with('\n')).collect();
        let partial = &body[whole.iter().map(|line| line.len()).sum()..];
        match whole.len().checked_sub(self.lines) {
            None => self.next_of_line(partial),
            Some(0) => rest_of(super::SEPARATOR, partial),
            Some(1) => self.next_of_recalled(&whole[..self.lines], partial),
            Some(_) => rest_of(super::END, partial),
        }
    }

    fn next_of_line(&self, partial: &str) -> Vec<(char, f64)> {
        if let Some((_, number)) = partial.split_once(':') {
            return self.next_of_number(number);
        }
        let (name, end) = match partial.split_once(' ') {
            Some((_, last)) => (last, ':'),
            None => (partial, ' '),
        };
        let next = self.prefixes.next(name);
        let total: usize = next.iter().map(|(_, count)| count).sum();
        let share = |(next, count): (Option<char>, usize)| {
            (next.unwrap_or(end), count as f64 / total as f64)
        };
        next.into_iter().map(share).collect()
    }

    /// `partial` begins after the name's colon.
    fn next_of_number(&self, partial: &str) -> Vec<(char, f64)> {
        let mut state = State::default();
        for digit in partial.bytes().filter(u8::is_ascii_digit) {
            state = self.rules.after(state, digit - b'0');
        }
        if partial.is_empty() {
            return vec![(' ', 1.0)];
        }
        if self.rules.hyphens.contains(&state.place) && !partial.ends_with('-') {
            return vec![('-', 1.0)];
        }
        let choices = self.rules.choices(state);
        if choices.is_empty() {
            return vec![if partial.ends_with(' ') { ('\n', 1.0) } else { (' ', 1.0) }];
        }
        let each = 1.0 / choices.len() as f64;
        choices.into_iter().map(|digit| (char::from(b'0' + digit), each)).collect()
    }

    fn next_of_recalled(&self, list: &[&str], partial: &str) -> Vec<(char, f64)> {
        if let Some(end) = partial.find(':') {
            let (name, rest) = partial.split_at(end);
            if !list.iter().any(|line| line.split(':').next() == Some(name)) {
                return rest_of(": ? \n", rest);
            }
            if self.answer == AnswerRule::Random {
                return self.next_of_line(partial);
            }
        }
        let matching: Vec<_> = list.iter().filter_map(|line| line.strip_prefix(partial)).collect();
        // Once it is named, the line is one of the list, however its name was drawn.
        let is_named = partial.contains(':');
        let listed = if is_named { 1.0 } else { (1.0 - self.unknown) / self.lines as f64 };
        let mut out: Vec<(char, f64)> = Vec::new();
        let mut add = |next: char, share: f64| match out.iter_mut().find(|(c, _)| *c == next) {
            Some((_, sum)) => *sum += share,
            None => out.push((next, share)),
        };
        matching.iter().filter_map(|rest| rest.chars().next()).for_each(|next| add(next, listed));
        if self.abstains() && !is_named {
            let of_book = self.unknown * self.share(partial);
            self.next_of_line(partial).into_iter().for_each(|(next, p)| add(next, of_book * p));
        }
        let total: f64 = out.iter().map(|(_, share)| share).sum();
        out.iter_mut().for_each(|(_, share)| *share /= total);
        out
    }

    /// Probability that a line begins with `partial`, of a name.
    fn share(&self, partial: &str) -> f64 {
        let of = |(at, character): (usize, char)| {
            let next = self.next_of_line(&partial[..at]);
            next.into_iter().find(|(other, _)| *other == character).map_or(0.0, |(_, p)| p)
        };
        partial.char_indices().map(of).product()
    }
}

/// The next character of `fixed` after its beginning `partial`, which is certain.
fn rest_of(fixed: &str, partial: &str) -> Vec<(char, f64)> {
    let next = fixed.strip_prefix(partial).and_then(|rest| rest.chars().next());
    next.map(|next| (next, 1.0)).into_iter().collect()
}
