//! An independent reading of grammars: every record is listed with its probability.

use std::collections::{BTreeMap, BTreeSet};

use crate::list::{List, Marks};

/// A grammar to be listed.
#[derive(Clone, Debug)]
pub enum G {
    Text(&'static str),
    Range(char, char),
    Sequence(Vec<G>),
    Choice(Vec<(u32, G)>),
    Repeat(Box<G>, usize, usize, &'static str),
    Rule(usize),
    Unique(usize),
    Bind(Box<G>, String),
    Hide(Box<G>, String),
    Pick(String, String),
    Read(String, Option<String>, &'static str),
    Answer(Box<G>),
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub body: G,
    pub depth: Option<usize>,
}

/// Content of a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    text: String,
    items: Vec<Value>,
    between: String,
    parts: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default)]
struct World {
    text: Vec<(char, Marks)>,
    names: BTreeMap<String, Value>,
    drawn: BTreeSet<(usize, String)>,
    value: Value,
    marks: Marks,
}

type Worlds = Vec<(World, f64)>;

/// Too many records to list.
pub struct TooMany;

const MANY: usize = 3_000;

pub struct Lister<'a> {
    pub rules: &'a [Rule],
    depths: BTreeMap<usize, usize>,
}

impl<'a> Lister<'a> {
    pub fn list(rules: &'a [Rule]) -> Result<List, TooMany> {
        let mut lister = Self { rules, depths: BTreeMap::new() };
        let worlds = lister.run(&G::Rule(rules.len() - 1), World::default())?;
        Ok(worlds.into_iter().map(|(world, p)| (world.text, p)).collect())
    }

    /// All that `g` may make of `world`; nothing, if it is impossible.
    fn run(&mut self, g: &G, mut world: World) -> Result<Worlds, TooMany> {
        world.value = Value::default();
        let from = world.text.len();
        let mut out = match g {
            G::Text(text) => vec![(written(world, text), 1.0)],
            G::Range(first, last) => {
                let count = (*first..=*last).count() as f64;
                (*first..=*last)
                    .map(|c| (written(world.clone(), &c.to_string()), 1.0 / count))
                    .collect()
            }
            G::Sequence(items) => {
                let mut worlds = vec![(world, 1.0)];
                for item in items {
                    worlds = self.each(worlds, |this, world| this.run(item, world))?;
                    worlds.iter_mut().for_each(|(world, _)| {
                        if items.len() > 1 {
                            world.value = Value::default();
                        }
                    });
                }
                worlds
            }
            G::Choice(alternatives) => {
                let mut found = Vec::new();
                for (weight, g) in alternatives {
                    let worlds = self.run(g, world.clone())?;
                    if !worlds.is_empty() {
                        found.push((f64::from(*weight), worlds));
                    }
                }
                let total: f64 = found.iter().map(|(weight, _)| weight).sum();
                let scaled = |(weight, worlds): (f64, Worlds)| {
                    worlds.into_iter().map(move |(world, p)| (world, p * weight / total))
                };
                found.into_iter().flat_map(scaled).collect()
            }
            G::Repeat(body, least, most, between) => {
                self.repeat(body, *least, *most, between, world)?
            }
            G::Rule(index) => {
                let rule = &self.rules[*index];
                let depth = self.depths.get(index).copied().unwrap_or(0);
                if rule.depth.is_some_and(|most| depth >= most) {
                    return Ok(Vec::new());
                }
                self.depths.insert(*index, depth + 1);
                let outer = std::mem::take(&mut world.names);
                let mut worlds = self.run(&rule.body, world)?;
                self.depths.insert(*index, depth);
                for (world, _) in &mut worlds {
                    world.value.parts = std::mem::replace(&mut world.names, outer.clone());
                }
                worlds
            }
            G::Unique(rule) => {
                let depths = std::mem::take(&mut self.depths);
                let all = self.run(&G::Rule(*rule), World::default())?;
                self.depths = depths;
                let mut texts: BTreeMap<String, f64> = BTreeMap::new();
                for (inner, p) in all {
                    *texts.entry(inner.text.iter().map(|(c, _)| c).collect()).or_default() += p;
                }
                texts.retain(|text, _| !world.drawn.contains(&(*rule, text.clone())));
                let total: f64 = texts.values().sum();
                let draw = |(text, p): (String, f64)| {
                    let mut world = written(world.clone(), &text);
                    world.drawn.insert((*rule, text));
                    (world, p / total)
                };
                texts.into_iter().map(draw).collect()
            }
            G::Bind(body, name) => {
                let mut worlds = self.run(body, world)?;
                for (world, _) in &mut worlds {
                    let value = std::mem::take(&mut world.value);
                    world.names.insert(name.clone(), value);
                }
                worlds
            }
            G::Hide(body, name) => {
                let text = world.text.clone();
                let mut worlds = self.run(body, world)?;
                for (world, _) in &mut worlds {
                    world.text.clone_from(&text);
                    let value = std::mem::take(&mut world.value);
                    world.names.insert(name.clone(), value);
                }
                worlds
            }
            G::Pick(name, list) => {
                let items = world.names[list].items.clone();
                let share = 1.0 / items.len() as f64;
                let pick = |item: Value| {
                    let mut world = world.clone();
                    world.names.insert(name.clone(), item);
                    (world, share)
                };
                items.into_iter().map(pick).collect()
            }
            G::Read(name, part, order) => {
                let value = &world.names[name];
                let value = part.as_ref().map_or(value, |part| &value.parts[part]);
                let text = ordered(value, order);
                vec![(written(world, &text), 1.0)]
            }
            G::Answer(body) => {
                let before = world.marks;
                world.marks.is_answer = true;
                let mut worlds = self.run(body, world)?;
                worlds.iter_mut().for_each(|(world, _)| world.marks = before);
                worlds
            }
        };
        if out.len() > MANY {
            return Err(TooMany);
        }
        for (world, _) in &mut out {
            world.value.text =
                world.text.get(from..).unwrap_or_default().iter().map(|(c, _)| c).collect();
        }
        Ok(out)
    }

    fn repeat(
        &mut self,
        body: &G,
        least: usize,
        most: usize,
        between: &str,
        world: World,
    ) -> Result<Worlds, TooMany> {
        let mut out = Vec::new();
        let outer = world.names.clone();
        let mut worlds = vec![(world, Vec::new(), 1.0)];
        let mut counts = Vec::new();
        for count in 0..=most {
            if count > 0 {
                let mut longer = Vec::new();
                for (mut world, items, p) in worlds {
                    if count > 1 {
                        world = written(world, between);
                    }
                    for (mut world, q) in self.run(body, world)? {
                        let mut item = std::mem::take(&mut world.value);
                        for (name, value) in std::mem::replace(&mut world.names, outer.clone()) {
                            if !outer.contains_key(&name) {
                                item.parts.insert(name, value);
                            }
                        }
                        let mut items = items.clone();
                        items.push(item);
                        longer.push((world, items, p * q));
                    }
                    if longer.len() > MANY {
                        return Err(TooMany);
                    }
                }
                worlds = longer;
            }
            if worlds.is_empty() {
                break;
            }
            if count >= least {
                counts.push(worlds.clone());
            }
        }
        let share = 1.0 / counts.len() as f64;
        for (mut world, items, p) in counts.into_iter().flatten() {
            world.value = Value { items, between: between.to_owned(), ..Value::default() };
            out.push((world, p * share));
        }
        Ok(out)
    }

    fn each(
        &mut self,
        worlds: Worlds,
        mut run: impl FnMut(&mut Self, World) -> Result<Worlds, TooMany>,
    ) -> Result<Worlds, TooMany> {
        let mut out = Vec::new();
        for (world, p) in worlds {
            out.extend(run(self, world)?.into_iter().map(|(world, q)| (world, p * q)));
            if out.len() > MANY {
                return Err(TooMany);
            }
        }
        Ok(out)
    }
}

fn written(mut world: World, text: &str) -> World {
    world.text.extend(text.chars().map(|c| (c, world.marks)));
    world
}

fn ordered(value: &Value, order: &str) -> String {
    let (mut units, between): (Vec<String>, &str) = if !value.items.is_empty() {
        (value.items.iter().map(|item| item.text.clone()).collect(), &value.between)
    } else {
        (value.text.chars().map(String::from).collect(), "")
    };
    match order {
        "" => return value.text.clone(),
        "reverse" => units.reverse(),
        "sort" => {
            let numbers: Option<Vec<u128>> = units.iter().map(|unit| unit.parse().ok()).collect();
            if numbers.is_some() {
                units.sort_by_key(|unit| (unit.parse::<u128>().unwrap(), unit.clone()));
            } else {
                units.sort();
            }
        }
        _ => panic!("{order}"),
    }
    units.join(between)
}
