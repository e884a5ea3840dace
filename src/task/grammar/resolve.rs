//! Finds what each name stands for: a rule, or a text chosen before.

use std::collections::{BTreeMap, BTreeSet};

use super::endless::{refuse_endless, refuse_impure};
use super::limits;
use super::refusal::Refusal;
use super::resolved::{Read, Resolved, Rules, Tree, calls};
use super::shape::{Shapes, Source, chosen_in};
use super::tree::{Expr, Kind, Order, Rule};

/// Resolves all rules.
///
/// # Errors
/// The first name that stands for nothing, comes too early, or is used as what it is not; a `given` that is not at
/// the beginning; a recursion without a `depth`.
pub(super) fn resolve(rules: &[Rule]) -> Result<Rules, Refusal> {
    let shapes = Shapes::new(rules);
    let Some(record) = shapes.rule("record") else {
        let sentence = "no rule is named `record`; write one: `record = …` says what a record is";
        return Err(Refusal::new(1, sentence));
    };
    let deep = rules.iter().filter(|rule| rule.depth.is_some());
    if let Some(rule) = deep.clone().nth(limits::DEEP_RULES) {
        let sentence = format!("more than {} rules have a depth; use fewer", limits::DEEP_RULES);
        return Err(Refusal::new(rule.line, sentence));
    }
    let mut names = BTreeMap::new();
    let mut out = Vec::new();
    let mut uniques = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut resolver = Resolver {
            rules,
            shapes: &shapes,
            rule,
            names: &mut names,
            uniques: &mut uniques,
            scope: Vec::new(),
            slots: BTreeMap::new(),
            block: 0,
            blocks: 0,
        };
        let body = resolver.expr(&rule.body, index == record)?;
        let parts = resolver.parts(0);
        let slots = resolver.slots.len() as u16;
        out.push(Resolved { line: rule.line, depth: rule.depth, body, parts, slots });
    }
    let calls: Vec<BTreeSet<usize>> = out.iter().map(|rule| calls(&rule.body)).collect();
    refuse_endless(rules, &calls)?;
    refuse_impure(rules, &calls, &out, &uniques)?;
    Ok(Rules { rules: out, record })
}

/// A name that is chosen at this place.
#[derive(Clone)]
struct Chosen<'a> {
    name: &'a str,
    slot: u16,
    /// Block it was chosen in: the rule, or a body of a repeat.
    block: u32,
    sources: Vec<Source<'a>>,
}

struct Resolver<'a, 'b> {
    rules: &'a [Rule],
    shapes: &'b Shapes<'a>,
    rule: &'a Rule,
    /// Numbers of the names of parts.
    names: &'b mut BTreeMap<String, u16>,
    /// Rules drawn from with `unique`, and in which line.
    uniques: &'b mut Vec<(usize, usize)>,
    scope: Vec<Chosen<'a>>,
    /// Slots by block and name.
    slots: BTreeMap<(u32, &'a str), u16>,
    block: u32,
    blocks: u32,
}

impl<'a> Resolver<'a, '_> {
    /// Resolves `expr`. `is_front`: nothing but what is given can have been written before it.
    fn expr(&mut self, expr: &'a Expr, is_front: bool) -> Result<Tree, Refusal> {
        Ok(match &expr.kind {
            Kind::Text(text) => Tree::Text(text.clone()),
            Kind::Range(from, to) => Tree::Range(*from, *to),
            Kind::Name(name, part) => self.name(expr, name, part.as_deref())?,
            Kind::Sequence(items) => {
                let mut out = Vec::with_capacity(items.len());
                let mut is_front = is_front;
                for item in items {
                    out.push(self.expr(item, is_front)?);
                    is_front &= matches!(item.kind, Kind::Pick(..));
                }
                Tree::Sequence(out)
            }
            Kind::Choice(alternatives) => self.choice(alternatives, is_front)?,
            Kind::Repeat { body, least, most, separator } => {
                let (scope, block) = (self.scope.clone(), self.block);
                self.blocks += 1;
                self.block = self.blocks;
                let body = Box::new(self.expr(body, false)?);
                let parts = self.parts(self.block);
                self.scope = scope;
                self.block = block;
                let separator = separator.clone();
                Tree::Repeat { body, least: *least, most: *most, separator, parts }
            }
            Kind::Unique(name) => match self.shapes.rule(name) {
                Some(rule) => {
                    self.uniques.push((rule, expr.line));
                    Tree::Unique(rule, expr.line)
                }
                None => return Err(self.unknown(expr.line, name)),
            },
            Kind::As(body, name) => {
                let tree = self.expr(body, is_front)?;
                let slot = self.choose(expr.line, name, Source::Whole(body))?;
                Tree::Bind(Box::new(tree), slot)
            }
            Kind::Pick(name, from) => self.pick(expr.line, name, from)?,
            Kind::Ordered(order, body) => self.ordered(*order, body)?,
            Kind::Answer(body) => Tree::Answer(Box::new(self.expr(body, false)?)),
            Kind::Given(body) => {
                if !is_front {
                    let sentence = "given(…) must be the first thing in `record`: only a beginning can be given";
                    return Err(Refusal::new(expr.line, sentence));
                }
                Tree::Given(Box::new(self.expr(body, false)?))
            }
        })
    }

    fn choice(&mut self, alternatives: &'a [(f64, Expr)], is_front: bool) -> Result<Tree, Refusal> {
        let before = self.scope.clone();
        let mut after: Option<Vec<Chosen>> = None;
        let mut out = Vec::with_capacity(alternatives.len());
        for (weight, expr) in alternatives {
            self.scope.clone_from(&before);
            out.push((*weight, self.expr(expr, is_front)?));
            let mine = std::mem::take(&mut self.scope);
            after = Some(match after {
                None => mine,
                Some(others) => in_both(others, &mine, before.len()),
            });
        }
        self.scope = after.unwrap_or(before);
        Ok(Tree::Choice(out))
    }

    fn pick(&mut self, line: usize, name: &'a str, from: &'a Expr) -> Result<Tree, Refusal> {
        if let Kind::Name(list, None) = &from.kind
            && let Some(chosen) = self.scope.iter().find(|chosen| chosen.name == list)
        {
            let (slot, sources) = (chosen.slot, chosen.sources.clone());
            let mut items = Vec::new();
            for source in sources {
                match self.shapes.items(source) {
                    Some((item, least)) if least > 0 => items.push(item),
                    Some(_) => {
                        let sentence = format!(
                            "`{list}` may be empty, and nothing can be picked from it; repeat at least once"
                        );
                        return Err(Refusal::new(line, sentence));
                    }
                    None => {
                        let sentence = format!(
                            "`{list}` is no list; only what is named after a repeat is one, as in `line * 3 as {list}`"
                        );
                        return Err(Refusal::new(line, sentence));
                    }
                }
            }
            let to = self.choose_any(line, name, items)?;
            return Ok(Tree::Pick { to, from: slot });
        }
        if let Kind::Name(owner, Some(part)) = &from.kind {
            let sentence = format!(
                "`pick` takes a rule or a whole list, not the part `{owner}.{part}`; name the list in this rule"
            );
            return Err(Refusal::new(line, sentence));
        }
        let tree = self.expr(from, false)?;
        let slot = self.choose(line, name, Source::Whole(from))?;
        Ok(Tree::Hide(Box::new(tree), slot))
    }

    fn ordered(&mut self, order: Order, body: &'a Expr) -> Result<Tree, Refusal> {
        let Kind::Name(name, part) = &body.kind else {
            let sentence = "reverse(…) and sort(…) take a chosen name; write `… as word` before, then `reverse(word)`";
            return Err(Refusal::new(body.line, sentence));
        };
        match self.name(body, name, part.as_deref())? {
            Tree::Read(read) => Ok(Tree::Read(Read { order, ..read })),
            _ => {
                let sentence = format!(
                    "`{name}` is a rule, which draws anew; write `{name} as word` before, and give `word` here"
                );
                Err(Refusal::new(body.line, sentence))
            }
        }
    }

    fn name(
        &mut self,
        expr: &'a Expr,
        name: &'a str,
        part: Option<&'a str>,
    ) -> Result<Tree, Refusal> {
        let Some(chosen) = self.scope.iter().find(|chosen| chosen.name == name) else {
            return match (self.shapes.rule(name), part) {
                (Some(rule), None) => Ok(Tree::Call(rule)),
                (Some(_), Some(part)) => {
                    let sentence = format!(
                        "`{name}` is a rule; choose from it first: `{name} as x`, then `x.{part}`"
                    );
                    Err(Refusal::new(expr.line, sentence))
                }
                (None, _) => Err(self.unknown(expr.line, name)),
            };
        };
        let slot = chosen.slot;
        let part = match part {
            None => None,
            Some(part) => {
                if !chosen.sources.iter().all(|source| self.shapes.has_part(*source, part)) {
                    let sentence = format!(
                        "`{name}` has no part `{part}`; its rule must say `… as {part}` in every alternative, outside \
                         repeats"
                    );
                    return Err(Refusal::new(expr.line, sentence));
                }
                Some(self.number(part))
            }
        };
        Ok(Tree::Read(Read { slot, part, order: Order::Written }))
    }

    /// Why `name` stands for nothing.
    fn unknown(&self, line: usize, name: &str) -> Refusal {
        let sentence = if self.slots.keys().any(|(_, other)| *other == name) {
            format!(
                "`{name}` is not always chosen before this; choose it in every alternative, outside repeats"
            )
        } else if chosen_in(&self.rule.body, name) {
            format!("`{name}` is used before it is chosen; move `as {name}` ahead of this")
        } else if self.rules.iter().any(|rule| chosen_in(&rule.body, name)) {
            format!(
                "`{name}` is chosen in another rule; name what that rule draws, as in `line as x`, then write \
                 `x.{name}`"
            )
        } else {
            format!(
                "no rule is named `{name}`; add `{name} = …`, or put it in quotes if it is text"
            )
        };
        Refusal::new(line, sentence)
    }

    fn choose(&mut self, line: usize, name: &'a str, source: Source<'a>) -> Result<u16, Refusal> {
        self.choose_any(line, name, vec![source])
    }

    fn choose_any(
        &mut self,
        line: usize,
        name: &'a str,
        sources: Vec<Source<'a>>,
    ) -> Result<u16, Refusal> {
        if self.shapes.rule(name).is_some() {
            let sentence = format!("`{name}` is the name of a rule; choose another name");
            return Err(Refusal::new(line, sentence));
        }
        if self.scope.iter().any(|chosen| chosen.name == name) {
            let sentence = format!("`{name}` is chosen twice; give the second another name");
            return Err(Refusal::new(line, sentence));
        }
        let next = self.slots.len() as u16;
        let slot = *self.slots.entry((self.block, name)).or_insert(next);
        if self.slots.len() > limits::CHOSEN {
            let sentence =
                format!("this rule chooses more than {} names; use fewer", limits::CHOSEN);
            return Err(Refusal::new(line, sentence));
        }
        self.scope.push(Chosen { name, slot, block: self.block, sources });
        Ok(slot)
    }

    /// Names chosen in `block`, with their slots.
    fn parts(&mut self, block: u32) -> BTreeMap<u16, u16> {
        let mine = self.scope.iter().filter(|chosen| chosen.block == block);
        let mine: Vec<(&str, u16)> = mine.map(|chosen| (chosen.name, chosen.slot)).collect();
        mine.into_iter().map(|(name, slot)| (self.number(name), slot)).collect()
    }

    fn number(&mut self, name: &str) -> u16 {
        let next = self.names.len() as u16;
        *self.names.entry(name.to_owned()).or_insert(next)
    }
}

/// Names of `one` that are in `other` too, with the sources of both; the first `count` are the same in both.
fn in_both<'a>(one: Vec<Chosen<'a>>, other: &[Chosen<'a>], count: usize) -> Vec<Chosen<'a>> {
    let mut out = Vec::with_capacity(one.len());
    for (index, mut chosen) in one.into_iter().enumerate() {
        if index >= count {
            let Some(same) = other.iter().find(|same| same.name == chosen.name) else { continue };
            chosen.sources.extend(&same.sources);
        }
        out.push(chosen);
    }
    out
}
