//! The search for a record's graph.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::function::{Dictionary, Function};
use super::run::run;
use crate::codec::align::{align, levenshtein};

/// Most functions of a graph, markers aside.
const DEPTH: usize = 3;
/// Best graphs that each round of the search makes longer.
const BEAM: usize = 8;
/// Most arguments of a function that the search tries for a graph: those that the most tokens ask for.
const TRIED: usize = 8;
/// Cells of distance matrices that a record's search may take.
const BUDGET: usize = 4_000_000;

/// A graph, and the tokens that it turns into the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Empty where none saves edits.
    pub graph: Vec<u32>,
    /// Tokens that noise is to write.
    pub written: Vec<u32>,
}

/// Searches for the graph that saves the most edits between `input` and the tokens that noise is to write, less the
/// graph's own tokens. It must save one at least, and half of all edits; otherwise the plan has an empty graph.
pub fn search(dictionary: &Dictionary, input: &[u32], output: &[u32]) -> Plan {
    let none = Plan { graph: Vec::new(), written: output.to_vec() };
    let mut left = BUDGET;
    let Some(all) = distance(input, output, &mut left) else { return none };
    let (mut best, mut saved) = (none, 0);
    let mut beam = vec![Node { graph: Vec::new(), made: input.to_vec(), distance: all }];
    for _ in 0..DEPTH {
        let mut longer = Vec::new();
        'beam: for node in &beam {
            for calls in proposals(dictionary, input, &node.made, output, &mut left) {
                let graph = [node.graph.as_slice(), &calls].concat();
                // A graph with as many tokens as there are edits saves none.
                if graph.len() >= all || functions(dictionary, &graph) > DEPTH {
                    continue;
                }
                let made = run(dictionary, &graph, input, input).output;
                let Some(distance) = distance(&made, output, &mut left) else { break 'beam };
                longer.push(Node { graph, made, distance });
            }
        }
        longer.sort_by(|a, b| a.rank().cmp(&b.rank()));
        longer.dedup_by(|next, last| next.made == last.made);
        longer.truncate(BEAM);
        for node in &longer {
            let Some(written) = undone(dictionary, &node.graph, input, output) else { continue };
            let edits = match node.distance {
                0 => Some(0),
                _ => distance(input, &written, &mut left),
            };
            let Some(edits) = edits else { continue };
            let gain = all.saturating_sub(edits).saturating_sub(node.graph.len());
            if gain > saved && 2 * edits <= all {
                (best, saved) = (Plan { graph: node.graph.clone(), written }, gain);
            }
        }
        beam = longer;
    }
    best
}

/// Searches as [`search`], but prefers the graph that is `known` for the input, whose tokens cost nothing. Another
/// graph must leave fewer edits, with its own tokens added.
pub fn plan(dictionary: &Dictionary, input: &[u32], output: &[u32], known: &[u32]) -> Plan {
    let mut left = BUDGET;
    let kept = undone(dictionary, known, input, output).filter(|_| !known.is_empty());
    let kept = kept.and_then(|written| Some((distance(input, &written, &mut left)?, written)));
    let Some((edits, written)) = kept else { return search(dictionary, input, output) };
    let kept = Plan { graph: known.to_vec(), written };
    if edits == 0 {
        return kept;
    }
    let found = search(dictionary, input, output);
    match distance(input, &found.written, &mut left) {
        Some(others) if others + found.graph.len() < edits => found,
        _ => kept,
    }
}

/// Tokens that `graph` turns into `output`: the input, or the output with each function undone. `None` if neither will
/// do.
fn undone(
    dictionary: &Dictionary,
    graph: &[u32],
    input: &[u32],
    output: &[u32],
) -> Option<Vec<u32>> {
    let leads = |written: &[u32]| run(dictionary, graph, input, written).output == output;
    if leads(input) {
        return Some(input.to_vec());
    }
    inverse(dictionary, graph, output).filter(|written| leads(written))
}

/// A graph, and what it makes of the input.
struct Node {
    graph: Vec<u32>,
    made: Vec<u32>,
    /// Edits that are left.
    distance: usize,
}

impl Node {
    /// Sort key, the best first: edits and tokens, then tokens, then the graph itself, so that like records get the
    /// same one.
    fn rank(&self) -> (usize, usize, &[u32]) {
        (self.distance + self.graph.len(), self.graph.len(), &self.graph)
    }
}

/// Number of a graph's functions, markers aside.
fn functions(dictionary: &Dictionary, graph: &[u32]) -> usize {
    let functions = graph.iter().filter_map(|token| dictionary.function(*token));
    functions.filter(|function| !function.is_marker()).count()
}

/// Edits between two sequences, whose cells are taken from those `left`; `None` if there are too few.
fn distance(a: &[u32], b: &[u32], left: &mut usize) -> Option<usize> {
    *left = left.checked_sub((a.len() + 1) * (b.len() + 1))?;
    Some(levenshtein(a, b))
}

/// Proposes functions, each with markers and arguments, that may bring the tokens `made` nearer to those `wanted`.
fn proposals(
    dictionary: &Dictionary,
    input: &[u32],
    made: &[u32],
    wanted: &[u32],
    left: &mut usize,
) -> Vec<Vec<u32>> {
    let of = |function| dictionary.of(function);
    let mut calls = vec![vec![of(Function::Backwards)], vec![of(Function::Sorted)]];
    let shifts = made.iter().zip(wanted).filter_map(|(from, to)| {
        let [from, to] = [from, to].map(|token| dictionary.place(*token));
        let by = u64::from(to?) + dictionary.arguments() as u64 - u64::from(from?);
        dictionary.at(by).filter(|_| from != to)
    });
    calls.extend(frequent(shifts).into_iter().map(|by| vec![of(Function::Shift), by]));
    let cells = (made.len() + 1) * (wanted.len() + 1);
    if let Some(rest) = left.checked_sub(cells).filter(|_| !made.is_empty()) {
        *left = rest;
        let pairs = made.iter().zip(align(made, wanted));
        let changed = pairs.filter_map(|(from, part)| Some((*from, *part.first()?)));
        let changed = frequent(changed.filter(|(from, to)| from != to));
        let substitutes = changed.into_iter();
        calls.extend(substitutes.map(|(from, to)| vec![of(Function::Substitute), from, to]));
    }
    let halves: Vec<Vec<u32>> =
        calls.iter().map(|call| [&[of(Function::Last)], call.as_slice()].concat()).collect();
    calls.extend(halves);
    // Where as many tokens are missing as the input has of one kind, `Count` and `Extend` may append them.
    let missing = wanted.len().saturating_sub(made.len());
    if let Some(last) = wanted.last().filter(|_| missing > 0) {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        input.iter().for_each(|token| *counts.entry(*token).or_default() += 1);
        let counted = counts.into_iter().filter(|(_, count)| *count == missing).take(TRIED);
        calls.extend(
            counted.map(|(token, _)| vec![of(Function::Count), token, of(Function::Extend), *last]),
        );
    }
    calls
}

/// The items that come most often, at most [`TRIED`].
fn frequent<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts.into_iter().take(TRIED).map(|(item, _)| item).collect()
}

/// Undoes each function of `graph` on `output`, the last one first; `None` if one cannot be undone.
fn inverse(dictionary: &Dictionary, graph: &[u32], output: &[u32]) -> Option<Vec<u32>> {
    // The functions, each with its markers and arguments.
    let mut calls: Vec<Vec<u32>> = Vec::new();
    let mut is_open = false;
    for token in graph {
        let function = dictionary.function(*token);
        match calls.last_mut() {
            Some(call) if is_open || function.is_none() => call.push(*token),
            _ => calls.push(vec![*token]),
        }
        is_open = function.is_some_and(Function::is_marker);
    }
    let mut undone = output.to_vec();
    for mut call in calls.into_iter().rev() {
        let mut functions = call.iter().filter_map(|token| dictionary.function(*token));
        match functions.next_back()? {
            Function::Backwards => {}
            Function::Shift => {
                let by = call.last_mut()?;
                *by = dictionary
                    .at(dictionary.arguments() as u64 - u64::from(dictionary.place(*by)?))?;
            }
            _ => return None,
        }
        undone = run(dictionary, &call, &[], &undone).output;
    }
    Some(undone)
}
