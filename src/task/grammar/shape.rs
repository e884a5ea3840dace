//! Shape of a chosen name: parts by name, items of a list.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Expr, Kind, Rule};

/// Where a chosen text comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Whole(&'a Expr),
    /// An item of a repeat, by the body of the repeat.
    Item(&'a Expr),
}

/// Rules by name.
pub(super) struct Shapes<'a> {
    rules: &'a [Rule],
    by_name: BTreeMap<&'a str, usize>,
    /// Names that each rule always chooses.
    parts: Vec<BTreeSet<&'a str>>,
}

/// Rules followed to find a list: `numbers = number * 3`.
const FOLLOWED: usize = 16;

impl<'a> Shapes<'a> {
    pub fn new(rules: &'a [Rule]) -> Self {
        let names = rules.iter().enumerate().map(|(index, rule)| (rule.name.as_str(), index));
        let parts = rules.iter().map(|rule| always_chosen(&rule.body)).collect();
        Self { rules, by_name: names.collect(), parts }
    }

    /// Number of the rule named `name`.
    pub fn rule(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn body(&self, name: &str) -> Option<&'a Expr> {
        self.rules.get(self.rule(name)?).map(|rule| &rule.body)
    }

    /// True if what comes from `source` always has a part `part`.
    pub fn has_part(&self, source: Source<'a>, part: &str) -> bool {
        match source {
            Source::Whole(expr) => self.expr_has_part(expr, part),
            Source::Item(body) => {
                always_chosen(body).contains(part) || self.expr_has_part(body, part)
            }
        }
    }

    fn expr_has_part(&self, expr: &'a Expr, part: &str) -> bool {
        match &expr.kind {
            Kind::Name(name, None) => self
                .rule(name)
                .and_then(|rule| self.parts.get(rule))
                .is_some_and(|parts| parts.contains(part)),
            Kind::Choice(alternatives) => {
                alternatives.iter().all(|(_, expr)| self.expr_has_part(expr, part))
            }
            _ => false,
        }
    }

    /// An item of a list from `source` and the least number of items; `None` if it is no list.
    pub fn items(&self, source: Source<'a>) -> Option<(Source<'a>, u32)> {
        let (Source::Whole(mut expr) | Source::Item(mut expr)) = source;
        for _ in 0..FOLLOWED {
            match &expr.kind {
                Kind::Repeat { body, least, .. } => return Some((Source::Item(body), *least)),
                Kind::Name(name, None) => expr = self.body(name)?,
                _ => return None,
            }
        }
        None
    }
}

/// Names that `expr` chooses however it is written, outside repeats.
fn always_chosen(expr: &Expr) -> BTreeSet<&str> {
    match &expr.kind {
        Kind::Sequence(items) => items.iter().flat_map(always_chosen).collect(),
        Kind::Choice(alternatives) => {
            let mut sets = alternatives.iter().map(|(_, expr)| always_chosen(expr));
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |all, set| all.intersection(&set).copied().collect())
        }
        Kind::As(body, name) => {
            let mut out = always_chosen(body);
            out.insert(name);
            out
        }
        Kind::Pick(name, from) => {
            let mut out = match &from.kind {
                Kind::Name(..) => BTreeSet::new(),
                _ => always_chosen(from),
            };
            out.insert(name);
            out
        }
        Kind::Answer(body) | Kind::Given(body) => always_chosen(body),
        _ => BTreeSet::new(),
    }
}

/// True if `expr` says `as name` or `pick name` anywhere.
pub(super) fn chosen_in(expr: &Expr, name: &str) -> bool {
    match &expr.kind {
        Kind::Sequence(items) => items.iter().any(|item| chosen_in(item, name)),
        Kind::Choice(alternatives) => alternatives.iter().any(|(_, expr)| chosen_in(expr, name)),
        Kind::As(body, other) => other == name || chosen_in(body, name),
        Kind::Pick(other, from) => other == name || chosen_in(from, name),
        Kind::Repeat { body, .. } | Kind::Answer(body) | Kind::Given(body) => chosen_in(body, name),
        _ => false,
    }
}
