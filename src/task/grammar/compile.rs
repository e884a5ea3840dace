//! Turns resolved rules into nodes: spells out each `depth`, and finds from back to front what is read later.

use std::collections::{BTreeMap, BTreeSet};

use super::limits;
use super::node::{ANSWER, GIVEN, HIDDEN, Marks, Node, NodeId};
use super::program::{Instance, PoolPlan, Program};
use super::reads::{Live, reads, wanted};
use super::refusal::Refusal;
use super::resolved::{Read, Resolved, Rules, Tree, deep_rules, visit};
use super::want::Want;

/// A rule at one depth, for callers that read the same of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rule: usize,
    /// Calls under way of each rule with a `depth` that can be called from here, by the rule's number.
    depths: BTreeMap<usize, u32>,
    want: Want,
    /// Chosen name that a list drawn here is for.
    site: u16,
}

/// Compiles the rules that `record` leads to.
///
/// # Errors
/// A grammar that grows too large.
pub(super) fn compile(rules: &Rules) -> Result<Program, Refusal> {
    let mut sites = 0;
    let mut first_sites = Vec::with_capacity(rules.rules.len());
    for rule in &rules.rules {
        first_sites.push(sites as u16);
        sites += usize::from(rule.slots);
        if sites > limits::SITES {
            let sentence = format!("more than {} names are chosen; use fewer", limits::SITES);
            return Err(Refusal::new(rule.line, sentence));
        }
    }
    let compiler = Compiler {
        rules: &rules.rules,
        first_sites,
        leads_to: deep_rules(&rules.rules),
        nodes: vec![Node::Impossible],
        keys: Vec::new(),
        by_key: BTreeMap::new(),
        pools: Vec::new(),
        pool_rules: BTreeMap::new(),
        at: Context::default(),
        is_full: false,
    };
    compiler.run(rules.record, sites as u16)
}

/// Where the compiler is.
#[derive(Default)]
struct Context {
    rule: usize,
    depths: BTreeMap<usize, u32>,
    calls: BTreeSet<usize>,
}

struct Compiler<'a> {
    rules: &'a [Resolved],
    /// Number of the first chosen name of each rule.
    first_sites: Vec<u16>,
    leads_to: Vec<BTreeSet<usize>>,
    nodes: Vec<Node>,
    /// Instances asked for, and their numbers.
    keys: Vec<Key>,
    by_key: BTreeMap<Key, usize>,
    pools: Vec<PoolPlan>,
    pool_rules: BTreeMap<usize, usize>,
    at: Context,
    is_full: bool,
}

impl Compiler<'_> {
    fn run(mut self, record: usize, sites: u16) -> Result<Program, Refusal> {
        let line = self.rules.get(record).map_or(1, |rule| rule.line);
        let instance = self.instance(record, Want::default(), 0).unwrap_or(0);
        let root = self.add(Node::Call { instance, gather: Vec::new(), keeps: false });
        let mut instances = Vec::new();
        while let Some(key) = self.keys.get(instances.len()).cloned() {
            instances.push(self.compile_instance(&key));
            if self.is_full {
                let sentence = "this grammar grows too large when each depth is spelled out; lower a depth, or use \
                                fewer rules";
                return Err(Refusal::new(line, sentence));
            }
        }
        Ok(Program { nodes: self.nodes, instances, pools: self.pools, root, sites })
    }

    fn compile_instance(&mut self, key: &Key) -> Instance {
        let rules = self.rules;
        let Some(rule) = rules.get(key.rule) else {
            return Instance {
                rule: 0,
                line: 1,
                root: 0,
                calls: BTreeSet::new(),
                is_outermost: false,
            };
        };
        self.at = Context { rule: key.rule, depths: key.depths.clone(), calls: BTreeSet::new() };
        let mut live = Live::new();
        for (name, want) in &key.want.parts {
            if let Some(at) = rule.parts.get(name) {
                live.entry(*at).or_default().add(want);
            }
        }
        let want = Want { text: false, items: key.want.items.clone(), parts: BTreeMap::new() };
        let root = self.tree(&rule.body, &want, key.site, &mut live);
        Instance {
            rule: key.rule,
            line: rule.line,
            root,
            calls: std::mem::take(&mut self.at.calls),
            is_outermost: key.depths.get(&key.rule).is_none_or(|depth| *depth <= 1),
        }
    }

    /// Number of the instance of `rule` called from here; `None` if that is too deep.
    fn instance(&mut self, rule: usize, want: Want, site: u16) -> Option<usize> {
        let empty = BTreeSet::new();
        let leads_to = self.leads_to.get(rule).unwrap_or(&empty);
        let mut depths: BTreeMap<usize, u32> = self
            .at
            .depths
            .iter()
            .filter(|(deep, _)| leads_to.contains(deep))
            .map(|(a, b)| (*a, *b))
            .collect();
        if let Some(most) = self.rules.get(rule).and_then(|rule| rule.depth) {
            let depth = depths.entry(rule).or_insert(0);
            *depth += 1;
            if *depth > most {
                return None;
            }
        }
        let site = if want.items.is_some() { site } else { 0 };
        let key = Key { rule, depths, want: Want { text: false, ..want }, site };
        let next = self.keys.len();
        let index = *self.by_key.entry(key.clone()).or_insert(next);
        if index == next {
            self.keys.push(key);
        }
        self.at.calls.insert(index);
        Some(index)
    }

    fn add(&mut self, node: Node) -> NodeId {
        if self.nodes.len() + self.keys.len() >= limits::NODES {
            self.is_full = true;
            return 0;
        }
        self.nodes.push(node);
        self.nodes.len() as NodeId - 1
    }

    /// Number of chosen name `slot` of this rule.
    fn site(&self, slot: u16) -> u16 {
        self.first_sites.get(self.at.rule).copied().unwrap_or(0) + slot
    }

    /// Compiles `tree`, of whose result `want` is read, for chosen name `site`. `live` is what is read after it, and
    /// becomes what is read from its beginning on.
    fn tree(&mut self, tree: &Tree, want: &Want, site: u16, live: &mut Live) -> NodeId {
        if self.is_full {
            return 0;
        }
        if want.text {
            let inner = Want { text: false, ..want.clone() };
            let keeps = !inner.is_nothing();
            let body = self.tree(tree, &inner, site, live);
            return self.add(Node::Capture { body, site, keeps });
        }
        match tree {
            Tree::Text(text) => self.add(Node::Text(text.chars().collect())),
            Tree::Range(from, to) => self.add(Node::Range(*from, *to)),
            Tree::Sequence(items) => {
                let mut out: Vec<NodeId> = Vec::with_capacity(items.len());
                for item in items.iter().rev() {
                    out.push(self.tree(item, &Want::default(), 0, live));
                }
                out.reverse();
                self.add(Node::Sequence(out))
            }
            Tree::Choice(alternatives) => self.choice(alternatives, want, site, live),
            Tree::Repeat { body, least, most, separator, parts } => {
                let after = live.clone();
                reads(body, live);
                visit(body, &mut |tree| {
                    if let Tree::Bind(_, at) | Tree::Hide(_, at) | Tree::Pick { to: at, .. } = tree
                    {
                        live.remove(at);
                    }
                });
                let item = want.items.as_deref().cloned().unwrap_or_default();
                let body = self.body(body, parts, &item, site, live);
                let repeat = self.add(Node::Repeat {
                    body,
                    least: *least,
                    most: *most,
                    separator: separator.chars().collect(),
                    collects: want.items.is_some(),
                });
                let mut out = vec![repeat];
                out.extend(self.forget(live, &after));
                if out.len() == 1 { repeat } else { self.add(Node::Sequence(out)) }
            }
            Tree::Call(rule) => match self.instance(*rule, want.clone(), site) {
                None => 0,
                Some(instance) => {
                    let slots = self.rules.get(*rule).map(|rule| &rule.parts);
                    let slot = |name: &u16| slots.and_then(|slots| slots.get(name)).copied();
                    let gather = want.parts.keys().filter_map(|name| Some((*name, slot(name)?)));
                    let gather = gather.collect();
                    self.add(Node::Call { instance, gather, keeps: want.items.is_some() })
                }
            },
            Tree::Unique(rule, line) => self.unique(*rule, *line),
            Tree::Bind(body, at) => self.store(body, *at, live, 0),
            Tree::Hide(body, at) => self.store(body, *at, live, HIDDEN),
            Tree::Read(read) => self.read(read, live),
            Tree::Pick { to, from } => {
                let want = live.remove(to).unwrap_or_default();
                let list = live.entry(*from).or_default();
                let keep = list.clone();
                list.items.get_or_insert_default().add(&want);
                self.add(Node::Pick { from: *from, to: *to, keep, want })
            }
            Tree::Answer(body) => self.marked(body, want, site, live, ANSWER),
            Tree::Given(body) => self.marked(body, want, site, live, GIVEN),
        }
    }

    fn marked(
        &mut self,
        body: &Tree,
        want: &Want,
        site: u16,
        live: &mut Live,
        marks: Marks,
    ) -> NodeId {
        let body = self.tree(body, want, site, live);
        self.add(Node::Marked(body, marks))
    }

    fn store(&mut self, body: &Tree, at: u16, live: &mut Live, marks: Marks) -> NodeId {
        let want = live.remove(&at).unwrap_or_default();
        let mut node = self.tree(body, &want, self.site(at), live);
        if marks != 0 {
            node = self.add(Node::Marked(node, marks));
        }
        if want.is_nothing() { node } else { self.add(Node::Store { body: node, slot: at }) }
    }

    fn read(&mut self, read: &Read, live: &mut Live) -> NodeId {
        let want = live.entry(read.slot).or_default();
        let keep = want.clone();
        want.add(&wanted(read));
        let Read { slot, part, order } = *read;
        self.add(Node::Read { slot, part, order, keep })
    }

    /// Compiles the body of a repeat, each result of which has `item` read.
    fn body(
        &mut self,
        body: &Tree,
        parts: &BTreeMap<u16, u16>,
        item: &Want,
        site: u16,
        live: &Live,
    ) -> NodeId {
        let mut live = live.clone();
        let mut inner = item.clone();
        let mut gather = Vec::new();
        for (name, at) in parts {
            if let Some(want) = inner.parts.remove(name) {
                live.insert(*at, want);
                gather.push((*name, *at));
            }
        }
        let keeps = !inner.is_nothing();
        let node = self.tree(body, &inner, site, &mut live);
        if gather.is_empty() {
            node
        } else {
            self.add(Node::Gather { body: node, parts: gather, keeps })
        }
    }

    fn choice(
        &mut self,
        alternatives: &[(f64, Tree)],
        want: &Want,
        site: u16,
        live: &mut Live,
    ) -> NodeId {
        let after = std::mem::take(live);
        let mut out = Vec::with_capacity(alternatives.len());
        for (weight, tree) in alternatives {
            let mut mine = after.clone();
            let node = self.tree(tree, want, site, &mut mine);
            for (at, want) in &mine {
                live.entry(*at).or_default().add(want);
            }
            out.push((*weight, node, mine));
        }
        let alternatives = out
            .into_iter()
            .map(|(weight, node, mine)| {
                let mut items = self.forget(live, &mine);
                if items.is_empty() {
                    return (weight, node);
                }
                items.push(node);
                (weight, self.add(Node::Sequence(items)))
            })
            .collect();
        self.add(Node::Choice(alternatives))
    }

    fn unique(&mut self, rule: usize, line: usize) -> NodeId {
        let pool = match self.pool_rules.get(&rule) {
            Some(pool) => *pool,
            None => {
                // Texts are drawn as if from outside every rule.
                let depths = std::mem::take(&mut self.at.depths);
                let instance = self.instance(rule, Want::default(), 0).unwrap_or(0);
                self.at.depths = depths;
                self.pools.push(PoolPlan { instance, line });
                self.pool_rules.insert(rule, self.pools.len() - 1);
                self.pools.len() - 1
            }
        };
        if let Some(plan) = self.pools.get(pool) {
            self.at.calls.insert(plan.instance);
        }
        self.add(Node::Unique(pool))
    }

    /// Nodes that forget what is read by `before` and not by `after`.
    fn forget(&mut self, before: &Live, after: &Live) -> Vec<NodeId> {
        let mut out = Vec::new();
        for (at, want) in before {
            let keep = after.get(at).cloned().unwrap_or_default();
            if *want != keep {
                out.push(self.add(Node::Keep(*at, keep)));
            }
        }
        out
    }
}
