//! The rules of telephone numbers, for drawing them and for knowing their entropy.

use rand_chacha::ChaCha8Rng;

use crate::task::split::below;

/// Rules of numbers: their length, and the digits that may follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub digits: usize,
    /// The places before which a hyphen stands; a group of digits begins there.
    pub hyphens: &'static [usize],
    choices: fn(State) -> Vec<u8>,
}

/// The part of the digits so far that decides which may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Digits so far.
    pub place: usize,
    /// The digit that all of the group so far are, if they are the same.
    same: Option<u8>,
}

/// Rules of the published generator: the area code does not begin with 0; the exchange has no 9
/// and is not 000; the last four digits are not all the same.
pub const PUBLISHED: Rules = Rules {
    digits: 10,
    hyphens: &[3, 6],
    choices: |State { place, same }| {
        let may = |digit: &u8| match place {
            0 => *digit > 0,
            3 | 4 => *digit < 9,
            5 => *digit < 9 && (same, *digit) != (Some(0), 0),
            9 => same != Some(*digit),
            _ => true,
        };
        (0..=9).filter(may).collect()
    },
};

impl Rules {
    /// The digits that may come next, each as likely; none after the last.
    pub fn choices(&self, state: State) -> Vec<u8> {
        if state.place < self.digits { (self.choices)(state) } else { Vec::new() }
    }

    pub fn after(&self, state: State, digit: u8) -> State {
        let begins_group = state.place == 0 || self.hyphens.contains(&state.place);
        let same = (begins_group || state.same == Some(digit)).then_some(digit);
        State { place: state.place + 1, same }
    }

    /// Draws a number.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut state = State::default();
        (0..self.digits)
            .map(|_| {
                let choices = self.choices(state);
                let digit = choices[below(rng, choices.len())];
                state = self.after(state, digit);
                digit
            })
            .collect()
    }
}

#[cfg(test)]
/// Few enough to count by hand: 0, 1 or 2, and then another of them.
pub const TWO_DIGITS: Rules = Rules {
    digits: 2,
    hyphens: &[],
    choices: |State { same, .. }| (0..3).filter(|digit| same != Some(*digit)).collect(),
};
