//! Merges of neighbouring tokens.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Rank and token of each pair of tokens that is merged.
pub type Merges = HashMap<(u32, u32), (u32, u32)>;

/// No token.
const NONE: usize = usize::MAX;

/// A token of a word in progress.
struct Symbol {
    id: u32,
    before: usize,
    after: usize,
    is_merged_away: bool,
}

/// Merges the pair of least rank in `ids`, its leftmost place first, until none is left.
pub fn merge(ids: &mut Vec<u32>, merges: &Merges) {
    let last = ids.len().saturating_sub(1);
    let symbol = |(index, id): (usize, &u32)| Symbol {
        id: *id,
        before: index.checked_sub(1).unwrap_or(NONE),
        after: if index == last { NONE } else { index + 1 },
        is_merged_away: false,
    };
    let mut symbols: Vec<Symbol> = ids.iter().enumerate().map(symbol).collect();
    let mut queue: BinaryHeap<Reverse<(u32, usize, u32)>> = BinaryHeap::new();
    let pair = |symbols: &[Symbol], at: usize| {
        let first = symbols.get(at)?;
        let (rank, id) = merges.get(&(first.id, symbols.get(first.after)?.id))?;
        Some(Reverse((*rank, at, *id)))
    };
    queue.extend((0..last).filter_map(|at| pair(&symbols, at)));
    while let Some(best) = queue.pop() {
        let Reverse((_, at, id)) = best;
        // A pair that was queued may have lost a token to another since.
        if symbols[at].is_merged_away || pair(&symbols, at).map(|Reverse((.., id))| id) != Some(id)
        {
            continue;
        }
        let next = symbols[at].after;
        let after = symbols[next].after;
        symbols[next].is_merged_away = true;
        symbols[at].id = id;
        symbols[at].after = after;
        if let Some(symbol) = symbols.get_mut(after) {
            symbol.before = at;
        }
        queue.extend(pair(&symbols, symbols[at].before));
        queue.extend(pair(&symbols, at));
    }
    ids.clear();
    ids.extend(symbols.iter().filter(|symbol| !symbol.is_merged_away).map(|symbol| symbol.id));
}
