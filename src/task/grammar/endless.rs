//! Refuses rules that would never end, and draws with `unique` that could not be followed.

use std::collections::BTreeSet;

use super::limits;
use super::refusal::Refusal;
use super::resolved::{Resolved, Tree, visit};
use super::tree::Rule;

/// Refuses rules that call themselves, by whatever way, without a `depth` on the way.
pub(super) fn refuse_endless(rules: &[Rule], calls: &[BTreeSet<usize>]) -> Result<(), Refusal> {
    let is_deep = |index: usize| rules.get(index).is_some_and(|rule| rule.depth.is_some());
    // Rules that end: all that they call ends, or counts its depth.
    let mut waiting: Vec<usize> = (0..rules.len()).filter(|index| !is_deep(*index)).collect();
    let mut endless: BTreeSet<usize> = waiting.iter().copied().collect();
    loop {
        let before = waiting.len();
        waiting.retain(|index| {
            let ends = calls.get(*index).is_none_or(|calls| calls.is_disjoint(&endless));
            if ends {
                endless.remove(index);
            }
            !ends
        });
        if waiting.len() == before {
            break;
        }
    }
    // Of those left, the first that comes back to itself.
    for index in &waiting {
        let mut seen = BTreeSet::new();
        let mut stack: Vec<usize> = vec![*index];
        while let Some(at) = stack.pop() {
            let next = calls.get(at).into_iter().flatten();
            for next in next.filter(|next| endless.contains(next)) {
                if next == index {
                    let rule = rules.get(*index);
                    let name = rule.map_or("", |rule| &rule.name);
                    let sentence = format!(
                        "`{name}` comes back to itself without an end; say how often at most: `{name} depth 4 = …`"
                    );
                    return Err(Refusal::new(rule.map_or(1, |rule| rule.line), sentence));
                }
                if seen.insert(*next) {
                    stack.push(*next);
                }
            }
        }
    }
    Ok(())
}

/// Refuses `unique` of rules in which answers are marked or `unique` stands again, and of too many rules.
pub(super) fn refuse_impure(
    rules: &[Rule],
    calls: &[BTreeSet<usize>],
    resolved: &[Resolved],
    uniques: &[(usize, usize)],
) -> Result<(), Refusal> {
    let mut checked = BTreeSet::new();
    for (rule, line) in uniques {
        if !checked.insert(*rule) {
            continue;
        }
        if checked.len() > limits::POOLS {
            let sentence = format!(
                "more than {} rules are drawn from with `unique`; use fewer",
                limits::POOLS
            );
            return Err(Refusal::new(*line, sentence));
        }
        let mut reached = BTreeSet::from([*rule]);
        let mut stack = vec![*rule];
        while let Some(at) = stack.pop() {
            let mut is_pure = true;
            if let Some(rule) = resolved.get(at) {
                visit(&rule.body, &mut |tree| {
                    is_pure &= !matches!(tree, Tree::Unique(..) | Tree::Answer(_));
                });
            }
            if !is_pure {
                let name = rules.get(*rule).map_or("", |rule| &rule.name);
                let sentence = format!(
                    "`unique {name}` draws a text whose rule has `unique` or answer(…) in it; put that around \
                     `unique {name}` instead"
                );
                return Err(Refusal::new(*line, sentence));
            }
            for next in calls.get(at).into_iter().flatten() {
                if reached.insert(*next) {
                    stack.push(*next);
                }
            }
        }
    }
    Ok(())
}
