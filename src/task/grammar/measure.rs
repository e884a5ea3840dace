//! Bounds on what each node writes and takes, and choices without what no record can be written by.

use std::collections::BTreeMap;

use super::program::Program;
use super::limits;
use super::node::{HIDDEN, Node, NodeId};

/// Upper bounds for one node; all of them hold for one run of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub is_possible: bool,
    /// Characters written.
    pub chars: u64,
    /// Characters written or hidden.
    pub drawn: u64,
    /// Characters, written or hidden, of one item of a list.
    item: u64,
    /// Steps.
    pub work: u64,
    /// Nodes inside each other.
    pub height: u32,
    /// Draws from each pool.
    pub uses: [u64; limits::POOLS],
    /// Pools drawn from: bit by bit.
    pub pools: u32,
}

impl Size {
    /// Measure of a node that draws `chars` characters by itself.
    fn of(chars: usize) -> Self {
        let chars = chars as u64;
        Self {
            is_possible: true,
            chars,
            drawn: chars,
            work: chars + 2,
            height: 1,
            ..Self::default()
        }
    }

    fn then(self, next: Self) -> Self {
        self.join(next, u64::saturating_add, self.is_possible && next.is_possible)
    }

    fn or(self, other: Self) -> Self {
        self.join(other, u64::max, self.is_possible || other.is_possible)
    }

    fn join(mut self, other: Self, join: impl Fn(u64, u64) -> u64, is_possible: bool) -> Self {
        self.is_possible = is_possible;
        self.chars = join(self.chars, other.chars);
        self.drawn = join(self.drawn, other.drawn);
        self.item = self.item.max(other.item);
        self.work = join(self.work, other.work);
        self.height = self.height.max(other.height);
        self.pools |= other.pools;
        for (mine, theirs) in self.uses.iter_mut().zip(other.uses) {
            *mine = join(*mine, theirs);
        }
        self
    }

    fn times(mut self, count: u32) -> Self {
        let count = u64::from(count);
        self.chars = self.chars.saturating_mul(count);
        self.drawn = self.drawn.saturating_mul(count);
        self.work = self.work.saturating_mul(count);
        self.uses.iter_mut().for_each(|uses| *uses = uses.saturating_mul(count));
        self
    }

    /// Within another node, which takes `steps` by itself.
    fn inside(mut self, steps: u64) -> Self {
        self.work = self.work.saturating_add(steps);
        self.height = self.height.saturating_add(1);
        self
    }
}

/// Sizes of all nodes of `program`, whose choices and repeats lose what is impossible.
pub(super) fn measure(program: &mut Program) -> Vec<Size> {
    let order = callees_first(program);
    let mut measurer = Measurer {
        sizes: vec![Size::default(); program.nodes.len()],
        left: vec![Slots::new(); program.instances.len()],
        parts: BTreeMap::new(),
        slots: Slots::new(),
        program,
    };
    for index in order {
        measurer.slots.clear();
        if let Some(root) = measurer.program.instances.get(index).map(|instance| instance.root) {
            measurer.node(root);
        }
        if let Some(left) = measurer.left.get_mut(index) {
            *left = std::mem::take(&mut measurer.slots);
        }
    }
    measurer.node(measurer.program.root);
    measurer.sizes
}

/// Numbers of the instances, each after those that it calls.
fn callees_first(program: &Program) -> Vec<usize> {
    let mut out = Vec::with_capacity(program.instances.len());
    let mut seen = vec![false; program.instances.len()];
    for first in 0..program.instances.len() {
        let mut stack = vec![(first, false)];
        while let Some((at, is_done)) = stack.pop() {
            if is_done {
                out.push(at);
                continue;
            }
            match seen.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            stack.push((at, true));
            if let Some(instance) = program.instances.get(at) {
                stack.extend(instance.calls.iter().map(|call| (*call, false)));
            }
        }
    }
    out
}

struct Measurer<'a> {
    program: &'a mut Program,
    sizes: Vec<Size>,
    /// Slots that each measured instance leaves behind, by the instance's number.
    left: Vec<Slots>,
    /// Bounds of what has been gathered so far, by the name of the part.
    parts: BTreeMap<u16, Held>,
    /// Bounds of what lies in the slots of the rule.
    slots: Slots,
}

type Slots = BTreeMap<u16, Held>;

/// Upper bounds, in characters, of a result that is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    all: u64,
    /// Bound of one item, where the result is a list.
    item: u64,
}

impl Held {
    fn or(self, other: Self) -> Self {
        Self { all: self.all.max(other.all), item: self.item.max(other.item) }
    }
}

impl Measurer<'_> {
    fn node(&mut self, id: NodeId) -> Size {
        let at = id as usize;
        let Some(node) = self.program.nodes.get_mut(at) else { return Size::default() };
        let mut node = std::mem::replace(node, Node::Impossible);
        let size = self.size(&mut node);
        if let Some(place) = self.program.nodes.get_mut(at)
            && size.is_possible
        {
            *place = node;
        }
        if let Some(place) = self.sizes.get_mut(at) {
            *place = size;
        }
        size
    }

    fn instance(&self, index: usize) -> Size {
        let root = self.program.instances.get(index).map(|instance| instance.root as usize);
        root.and_then(|root| self.sizes.get(root)).copied().unwrap_or_default()
    }

    fn size(&mut self, node: &mut Node) -> Size {
        match node {
            Node::Impossible => Size::default(),
            Node::Text(text) => Size::of(text.len()),
            Node::Range(..) => Size::of(1),
            Node::Sequence(items) => {
                let mut all = Size::of(0);
                for item in items.iter() {
                    all = all.then(self.node(*item).inside(1));
                }
                all
            }
            Node::Choice(alternatives) => self.choice(alternatives),
            Node::Repeat { body, least, most, separator, .. } => {
                let inner = self.node(*body);
                if !inner.is_possible || *most == 0 {
                    (*body, *most) = (0, 0);
                    return Size { is_possible: *least == 0, ..Size::of(0) };
                }
                let between = Size::of(separator.len()).times(most.saturating_sub(1));
                let item = inner.drawn.max(inner.item);
                let all = inner.inside(4).times(*most).then(between).inside(2);
                Size { item, ..all }
            }
            Node::Call { instance, gather, .. } => {
                let slots = self.left.get(*instance).cloned().unwrap_or_default();
                self.gather(gather, &slots);
                self.instance(*instance).inside(3)
            }
            Node::Gather { body, parts, .. } => {
                let size = self.node(*body).inside(3);
                let slots = self.slots.clone();
                self.gather(parts, &slots);
                size
            }
            Node::Capture { body, .. } => self.node(*body).inside(3),
            Node::Store { body, slot } => {
                let size = self.node(*body);
                self.slots.insert(*slot, Held { all: size.drawn, item: size.item });
                size.inside(3)
            }
            Node::Read { slot, part, .. } => {
                let whole = self.slots.get(slot).copied().unwrap_or_default();
                let part = part.and_then(|part| self.parts.get(&part)).copied();
                let Held { all, item } = part.unwrap_or(whole);
                Size { chars: all, drawn: all, item, work: whole.all.saturating_add(4), ..Size::of(0) }
            }
            Node::Pick { from, to, .. } => {
                let Held { all, item } = self.slots.get(from).copied().unwrap_or_default();
                self.slots.insert(*to, Held { all: item, item });
                Size { work: all.saturating_add(2), ..Size::of(0) }
            }
            Node::Keep(..) => Size::of(0),
            Node::Marked(body, marks) => {
                let size = self.node(*body).inside(2);
                Size { chars: if *marks & HIDDEN != 0 { 0 } else { size.chars }, ..size }
            }
            Node::Unique(pool) => {
                let pool = *pool;
                let plan = self.program.pools.get(pool);
                let mut size = plan.map(|plan| self.instance(plan.instance)).unwrap_or_default();
                size.work = size.drawn.saturating_add(4);
                if let Some(uses) = size.uses.get_mut(pool) {
                    *uses = 1;
                }
                size.pools = 1u32.checked_shl(pool as u32).unwrap_or(0);
                size.inside(1)
            }
        }
    }

    /// Takes note of the parts in `slots`, each a name and the slot that it lies in.
    fn gather(&mut self, parts: &[(u16, u16)], slots: &Slots) {
        for (name, slot) in parts {
            let held = slots.get(slot).copied().unwrap_or_default();
            let most = self.parts.entry(*name).or_default();
            *most = most.or(held);
        }
    }

    fn choice(&mut self, alternatives: &mut Vec<(f64, NodeId)>) -> Size {
        let before = self.slots.clone();
        let mut after = Slots::new();
        let mut all = Size::default();
        alternatives.retain(|(_, node)| {
            self.slots.clone_from(&before);
            let size = self.node(*node);
            for (slot, held) in &self.slots {
                let most = after.entry(*slot).or_default();
                *most = most.or(*held);
            }
            if size.is_possible {
                all = all.or(size);
            }
            size.is_possible
        });
        let total: f64 = alternatives.iter().map(|(weight, _)| weight).sum();
        alternatives.iter_mut().for_each(|(weight, _)| *weight /= total);
        self.slots = after;
        all.inside(1)
    }
}
