//! Random grammars, and the text of a grammar.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::list::rng;
use crate::lister::{G, Rule};

impl G {
    /// The same in the syntax of grammars.
    pub fn written(&self) -> String {
        match self {
            G::Text(text) => format!("{text:?}"),
            G::Range(first, last) => format!("\"{first}\"..\"{last}\""),
            G::Sequence(items) => {
                let items: Vec<String> = items.iter().map(G::written).collect();
                format!("({})", items.join(" "))
            }
            G::Choice(alternatives) => {
                let each: Vec<String> = alternatives
                    .iter()
                    .map(|(weight, g)| format!("{weight}: {}", g.written()))
                    .collect();
                format!("({})", each.join(" | "))
            }
            G::Repeat(body, least, most, between) => {
                let separator = if between.is_empty() {
                    String::new()
                } else {
                    format!(" separator {between:?}")
                };
                format!("{} * {least}..{most}{separator}", body.written())
            }
            G::Rule(index) => format!("r{index}"),
            G::Unique(index) => format!("unique r{index}"),
            G::Bind(body, name) => format!("{} as {name}", body.written()),
            G::Hide(body, name) => format!("pick {name} from ({})", body.written()),
            G::Pick(name, list) => format!("pick {name} from {list}"),
            G::Read(name, part, order) => {
                let part = part.as_ref().map_or(String::new(), |part| format!(".{part}"));
                if order.is_empty() {
                    format!("{name}{part}")
                } else {
                    format!("{order}({name}{part})")
                }
            }
            G::Answer(body) => format!("answer({})", body.written()),
        }
    }
}

/// The text of rules, the last of which is `record`.
pub fn source(rules: &[Rule]) -> String {
    let mut out = String::new();
    for (index, rule) in rules.iter().enumerate() {
        let name = if index + 1 == rules.len() { "record".to_owned() } else { format!("r{index}") };
        let depth = rule.depth.map_or(String::new(), |depth| format!(" depth {depth}"));
        out += &format!("{name}{depth} = {}\n", rule.body.written());
    }
    out
}

/// Facts that a random grammar knows of a name.
#[derive(Clone, Debug, Default)]
struct Shape {
    parts: Vec<(String, Shape)>,
    /// An item of the list and the least number of items.
    items: Option<(Box<Shape>, usize)>,
}

type Scope = Vec<(String, Shape)>;

/// Writes random grammars.
pub struct Writer {
    rng: ChaCha8Rng,
    /// Rules, what they draw, and whether `unique` may draw from them.
    rules: Vec<(Rule, Shape, bool)>,
    names: usize,
}

impl Writer {
    /// Rules of a random grammar.
    pub fn rules(seed: u64) -> Vec<Rule> {
        let mut writer = Self { rng: rng(seed), rules: Vec::new(), names: 0 };
        let count = writer.below(3) + 1;
        for index in 0..=count {
            let mut scope = Vec::new();
            let is_record = index == count;
            let is_pure = !is_record && writer.below(2) == 0;
            let items = if is_record { 3 + writer.below(3) } else { 1 + writer.below(2) };
            let mut shapes = Vec::new();
            let mut body = Vec::new();
            for _ in 0..items {
                let (g, shape) = writer.item(&mut scope, 2, is_pure);
                body.push(g);
                shapes.push(shape);
            }
            let mut shape = Shape { parts: scope, items: None };
            if let (1, Some(G::Repeat(..) | G::Rule(_))) = (body.len(), body.first()) {
                shape.items = shapes[0].items.clone();
            }
            let mut body = if body.len() == 1 { body.remove(0) } else { G::Sequence(body) };
            let mut depth = None;
            if !is_record && writer.below(4) == 0 {
                depth = Some(1 + writer.below(3));
                let again = G::Sequence(vec![G::Text("a"), G::Rule(index), G::Text("b")]);
                body = G::Choice(vec![(1 + writer.below(3) as u32, again), (1, body)]);
                shape = Shape::default();
            }
            writer.rules.push((Rule { body, depth }, shape, is_pure));
        }
        writer.rules.into_iter().map(|(rule, _, _)| rule).collect()
    }

    fn below(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count as u32) as usize
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    /// Something that draws.
    fn item(&mut self, scope: &mut Scope, height: usize, is_pure: bool) -> (G, Shape) {
        let none = Shape::default();
        loop {
            match self.below(if height == 0 { 5 } else { 16 }) {
                0 => return (G::Text(["a", "b", "ab", ""][self.below(4)]), none),
                1 => return (G::Range('a', ['b', 'c'][self.below(2)]), none),
                2 | 3 if !scope.is_empty() => return (self.read(scope), none),
                4 if !self.rules.is_empty() => {
                    let index = self.below(self.rules.len());
                    if !is_pure || self.rules[index].2 {
                        return (G::Rule(index), self.rules[index].1.clone());
                    }
                }
                5 | 6 => {
                    let count = 1 + self.below(2);
                    let mut alternatives = Vec::new();
                    for _ in 0..=count {
                        let mut inner = scope.clone();
                        let weight = 1 + self.below(3) as u32;
                        alternatives.push((weight, self.item(&mut inner, height - 1, is_pure).0));
                    }
                    return (G::Choice(alternatives), none);
                }
                7 | 8 => {
                    let mut inner = scope.clone();
                    let outer = inner.len();
                    let (mut body, mut shape) = self.item(&mut inner, height - 1, is_pure);
                    if self.below(2) == 0 {
                        let (more, _) = self.item(&mut inner, height - 1, is_pure);
                        body = G::Sequence(vec![body, more]);
                        shape = none;
                    }
                    shape.parts.extend(inner.into_iter().skip(outer));
                    let least = self.below(3);
                    let most = (least + self.below(2)).max(1);
                    let between = ["", "", "-", "a"][self.below(4)];
                    let items = Some((Box::new(shape), least));
                    return (
                        G::Repeat(Box::new(body), least, most, between),
                        Shape { parts: vec![], items },
                    );
                }
                9 | 10 => {
                    let (body, shape) = self.item(scope, height - 1, is_pure);
                    let name = self.name();
                    scope.push((name.clone(), shape));
                    // Parts are known through the name alone.
                    return (G::Bind(Box::new(body), name), Shape::default());
                }
                11 => {
                    let (body, shape) = self.item(scope, height - 1, is_pure);
                    if matches!(body, G::Read(..)) {
                        continue;
                    }
                    let name = self.name();
                    let shape = if matches!(body, G::Rule(_) | G::Repeat(..)) {
                        shape
                    } else {
                        Shape::default()
                    };
                    scope.push((name.clone(), shape));
                    return (G::Hide(Box::new(body), name), none);
                }
                12 => {
                    let lists: Vec<(String, Shape)> = scope
                        .iter()
                        .filter_map(|(name, shape)| match &shape.items {
                            Some((item, 1..)) => Some((name.clone(), *item.clone())),
                            _ => None,
                        })
                        .collect();
                    if !lists.is_empty() {
                        let (list, item) = lists[self.below(lists.len())].clone();
                        let name = self.name();
                        scope.push((name.clone(), item));
                        return (G::Pick(name, list), none);
                    }
                }
                13 if !is_pure && !self.rules.is_empty() => {
                    let index = self.below(self.rules.len());
                    if self.rules[index].2 {
                        return (G::Unique(index), none);
                    }
                }
                14 if !is_pure => {
                    let (body, _) = self.item(scope, height - 1, is_pure);
                    return (G::Answer(Box::new(body)), none);
                }
                _ => {}
            }
        }
    }

    fn read(&mut self, scope: &Scope) -> G {
        let (name, shape) = scope[self.below(scope.len())].clone();
        let mut part = None;
        if !shape.parts.is_empty() && self.below(3) > 0 {
            part = Some(shape.parts[self.below(shape.parts.len())].0.clone());
        }
        let order = ["", "", "reverse", "sort"][self.below(4)];
        G::Read(name, part, order)
    }
}
