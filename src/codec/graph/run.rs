//! The machine that runs a graph.

use serde::Serialize;

use super::function::{Dictionary, Function};

/// Longest output.
const LONGEST: usize = 4096;
/// Longest output, as a multiple of the longer of input and output.
const TIMES: usize = 4;

/// Effect of a part of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A change of the output, or of the input if `on_input`.
    Changed { on_input: bool, before: Vec<u32>, after: Vec<u32> },
    /// A change of the register.
    Register { before: usize, after: usize },
    /// A change of the gate: true if it is open.
    Gate { before: bool, after: bool },
    /// A marker is set.
    Marked,
    /// No effect: the gate is closed.
    Closed,
    /// No effect: an argument is missing, or the token is no function.
    Malformed,
}

/// A part of a graph, and its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// The function; `None` if the graph has something else there.
    pub function: Option<Function>,
    /// Place of the function's token in the graph.
    pub at: usize,
    pub arguments: Vec<u32>,
    pub effect: Effect,
}

/// Result of a graph: the output, and its parts in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ran {
    pub output: Vec<u32>,
    pub turns: Vec<Turn>,
}

/// Runs `graph`, whose macros are expanded, on an input and an output.
pub fn run(dictionary: &Dictionary, graph: &[u32], input: &[u32], output: &[u32]) -> Ran {
    let limit = LONGEST.min(TIMES * input.len().max(output.len())).max(output.len());
    let mut machine = Machine {
        dictionary,
        limit,
        input: input.to_vec(),
        output: output.to_vec(),
        register: 0,
        is_open: true,
        marks: Marks::default(),
    };
    let (mut at, mut turns) = (0, Vec::new());
    while let Some(token) = graph.get(at) {
        let function = dictionary.function(*token);
        let is_argument = |token: &&u32| dictionary.place(**token).is_some();
        let most = function.map_or(0, Function::arguments);
        let arguments = graph[at + 1..].iter().take(most).take_while(is_argument);
        let arguments: Vec<u32> = arguments.copied().collect();
        let effect = match function {
            Some(function) if arguments.len() == most => machine.turn(function, &arguments),
            _ => Effect::Malformed,
        };
        let next = at + 1 + arguments.len();
        turns.push(Turn { function, at, arguments, effect });
        at = next;
    }
    Ran { output: machine.output, turns }
}

/// Markers that the next function obeys.
#[derive(Clone, Copy, Default)]
struct Marks {
    not: bool,
    on_input: bool,
    last: bool,
}

struct Machine<'a> {
    dictionary: &'a Dictionary,
    /// Most tokens of an output.
    limit: usize,
    input: Vec<u32>,
    output: Vec<u32>,
    register: usize,
    is_open: bool,
    marks: Marks,
}

impl Machine<'_> {
    fn turn(&mut self, function: Function, arguments: &[u32]) -> Effect {
        match function {
            Function::Not => self.marks.not = true,
            Function::OnInput => self.marks.on_input = true,
            Function::Last => self.marks.last = true,
            _ => return self.apply(function, arguments),
        }
        Effect::Marked
    }

    fn apply(&mut self, function: Function, arguments: &[u32]) -> Effect {
        let marks = std::mem::take(&mut self.marks);
        let seen = &self.input[if marks.last { half(&self.input) } else { 0 }..];
        if function.is_gate() {
            let is_there = match function {
                Function::Match => seen.windows(2).any(|pair| pair == arguments),
                _ => seen.iter().any(|token| arguments.contains(token)),
            };
            let before = self.is_open;
            self.is_open = is_there ^ (function == Function::Lacks) ^ marks.not;
            return Effect::Gate { before, after: self.is_open };
        }
        if !self.is_open {
            return Effect::Closed;
        }
        if function == Function::Count {
            let count = seen.iter().filter(|token| arguments.contains(token)).count();
            let before = std::mem::replace(&mut self.register, count);
            return Effect::Register { before, after: count };
        }
        let changed = if marks.on_input { &mut self.input } else { &mut self.output };
        let before = changed.clone();
        let start = if marks.last { half(changed) } else { 0 };
        let mut part = changed.split_off(start);
        match (function, arguments) {
            (Function::Substitute, [from, to]) => {
                part.iter_mut().filter(|token| *token == from).for_each(|token| *token = *to);
            }
            (Function::Backwards, _) => part.reverse(),
            (Function::Sorted, _) => part.sort_by_key(|token| self.dictionary.place(*token)),
            (Function::Extend, [token]) => {
                let room = self.limit.saturating_sub(before.len());
                part.extend(std::iter::repeat_n(*token, self.register.min(room)));
            }
            (Function::Shift, [by]) => {
                let by = self.dictionary.place(*by).unwrap_or(0);
                part.iter_mut().for_each(|token| *token = self.dictionary.moved(*token, by));
            }
            _ => {}
        }
        changed.append(&mut part);
        Effect::Changed { on_input: marks.on_input, before, after: changed.clone() }
    }
}

/// Start of the last half, which is the shorter one of an odd number of tokens.
fn half(of: &[u32]) -> usize {
    of.len() - of.len() / 2
}
