//! The dictionary of graphs: tokens as arguments, functions of them, and macros.

use serde::Serialize;

use crate::codec::keys::Keys;

/// Number of tokens that stand for whole graphs.
pub const MACROS: usize = 16;

/// Function of a graph. It changes a sequence, the register or the gate; a marker changes the next function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Sets the register to how often the argument is in the input.
    Count,
    /// Opens the gate if the argument is in the input, and closes it if not. While it is closed, all but gates do nothing.
    Has,
    /// Opens the gate if the argument is not in the input, and closes it if it is.
    Lacks,
    /// Opens the gate if both arguments are in the input, one right after the other, and closes it if not.
    Match,
    /// Puts the second argument in the place of the first.
    Substitute,
    /// Reverses the order.
    Backwards,
    /// Puts tokens in the order of their keys.
    Sorted,
    /// Appends the argument as often as the register says.
    Extend,
    /// Moves each token by as many places, in the order of keys, as the argument is away from the first one. The first
    /// follows the last.
    Shift,
    /// Marker: inverts the next function if it is a gate.
    Not,
    /// Marker: makes the next function change the input instead of the output.
    OnInput,
    /// Marker: limits the next function to the last half, which is the shorter one of an odd number of tokens.
    Last,
}

impl_names! {
    Function:
    Count = "count",
    Has = "has",
    Lacks = "lacks",
    Match = "match",
    Substitute = "substitute",
    Backwards = "backwards",
    Sorted = "sorted",
    Extend = "extend",
    Shift = "shift",
    Not = "not",
    OnInput = "oninput",
    Last = "last",
}

impl Function {
    /// All, in the order of a dictionary.
    pub const ALL: [Self; 12] = [
        Self::Count,
        Self::Has,
        Self::Lacks,
        Self::Match,
        Self::Substitute,
        Self::Backwards,
        Self::Sorted,
        Self::Extend,
        Self::Shift,
        Self::Not,
        Self::OnInput,
        Self::Last,
    ];

    /// Number of arguments.
    pub fn arguments(self) -> usize {
        match self {
            Self::Match | Self::Substitute => 2,
            Self::Count | Self::Has | Self::Lacks | Self::Extend | Self::Shift => 1,
            Self::Backwards | Self::Sorted | Self::Not | Self::OnInput | Self::Last => 0,
        }
    }

    /// True for a marker, which only changes the next function.
    pub fn is_marker(self) -> bool {
        matches!(self, Self::Not | Self::OnInput | Self::Last)
    }

    pub fn is_gate(self) -> bool {
        matches!(self, Self::Has | Self::Lacks | Self::Match)
    }
}

/// The tokens of graphs. Those of the codec come first, as arguments; then functions, macros, and the end of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dictionary {
    /// Tokens in the order of their keys.
    order: Vec<u32>,
    /// Place of each token in that order.
    places: Vec<u32>,
}

impl Dictionary {
    /// The dictionary of a codec with these keys, the last of which is the end.
    pub fn new(keys: &Keys) -> Self {
        let tokens = keys.len().saturating_sub(1) as u32;
        let mut order: Vec<u32> = (0..tokens).collect();
        order.sort_by_key(|token| keys.of(*token));
        let mut places = vec![0; order.len()];
        for (place, token) in order.iter().enumerate() {
            places[*token as usize] = place as u32;
        }
        Self { order, places }
    }

    /// Number of tokens that are arguments.
    pub fn arguments(&self) -> usize {
        self.order.len()
    }

    /// Number of all tokens, with the end.
    pub fn len(&self) -> usize {
        self.arguments() + Function::ALL.len() + MACROS + 1
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// The graph token of a function.
    pub fn of(&self, function: Function) -> u32 {
        self.arguments() as u32 + function as u32
    }

    /// The function that a graph token stands for; `None` if it stands for none.
    pub fn function(&self, token: u32) -> Option<Function> {
        Function::ALL.get((token as usize).checked_sub(self.arguments())?).copied()
    }

    /// The graph token of a macro.
    pub fn of_macro(&self, number: usize) -> u32 {
        (self.arguments() + Function::ALL.len() + number) as u32
    }

    /// Number of the macro that a graph token is; `None` if it is none.
    pub fn number_of_macro(&self, token: u32) -> Option<usize> {
        let number = (token as usize).checked_sub(self.arguments() + Function::ALL.len())?;
        (number < MACROS).then_some(number)
    }

    /// Place of `token` in the order of keys; `None` if it is no argument.
    pub fn place(&self, token: u32) -> Option<u32> {
        self.places.get(token as usize).copied()
    }

    /// The token at `place` in the order of keys, which is taken modulo the number of tokens; `None` without any.
    pub fn at(&self, place: u64) -> Option<u32> {
        let count = self.order.len() as u64;
        self.order.get(place.checked_rem(count)? as usize).copied()
    }

    /// The token `by` places after `token` in the order of keys; `token` itself if it is no argument.
    pub fn moved(&self, token: u32, by: u32) -> u32 {
        let place = self.place(token).map(|place| u64::from(place) + u64::from(by));
        place.and_then(|place| self.at(place)).unwrap_or(token)
    }
}
