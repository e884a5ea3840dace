//! Runs a grammar one step at a time, in all ways at once.

mod belief;
mod order;
mod pool;
mod step;
mod value;

use std::collections::{BTreeMap, HashMap};

use super::heap::{Heap, Id, Kind, Letter};
use super::limits;
use super::node::{HIDDEN, Marks, NodeId};
use super::plan::Plan;

pub(super) use belief::{Group, rounded};
pub(super) use order::sort;

/// A partial derivation: what is still to be done, and what it will read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Particle {
    /// Work that is left; 0 at the end.
    pub todo: Id,
    /// Slots of the rule.
    pub slots: Id,
    /// Open captures, the innermost first.
    pub captures: Id,
    /// Texts drawn from pools.
    pub drawn: Id,
    /// Result that the last node hands to its owner.
    pub result: Id,
    pub marks: Marks,
}

/// Why counting stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The characters of this chosen name must be told apart.
    Tell(u16),
    /// There are too many derivations, or too many steps.
    Beyond,
}

/// Number of a letter that was just read and is kept as opaque.
const JUST_READ: u32 = u32::MAX;
/// Numbers of letters put in order, from here on.
const SORTED: u32 = 1 << 24;

/// Runs derivations of one grammar.
pub(super) struct Machine<'a> {
    plan: &'a Plan,
    pub heap: Heap,
    /// Chosen names whose characters need not be told apart.
    opaque: Vec<bool>,
    /// Steps and touched cells that are left.
    fuel: u64,
    /// Most derivations at once.
    limit: usize,
    /// Literals of nodes, as lists.
    literals: HashMap<NodeId, Id>,
    /// Opaque texts that were put in order since the last letter.
    sorted: BTreeMap<(Id, bool), Id>,
    fresh: u32,
}

impl<'a> Machine<'a> {
    /// A machine that tells all characters apart, takes at most `fuel` steps and holds at most `limit` derivations of
    /// one text.
    pub fn new(plan: &'a Plan, fuel: u64, limit: usize) -> Self {
        Self {
            plan,
            heap: Heap::new(),
            opaque: vec![false; plan.sites()],
            fuel,
            limit,
            literals: HashMap::new(),
            sorted: BTreeMap::new(),
            fresh: SORTED,
        }
    }

    /// The same, but it tells characters apart only for chosen names where `opaque` is false.
    pub fn with_opaque(mut self, opaque: Vec<bool>) -> Self {
        self.opaque = opaque;
        self
    }

    /// Node that runs a record.
    pub fn root(&self) -> NodeId {
        self.plan.root
    }

    /// The derivation that has yet to run `root`.
    pub fn start(&mut self, root: NodeId) -> Particle {
        Particle { todo: self.todo(root, 0), ..Particle::default() }
    }

    /// Steps and touched cells that are left.
    pub fn left(&self) -> u64 {
        self.fuel.saturating_sub(self.heap.touched())
    }

    fn burn(&mut self) -> Result<(), Stop> {
        self.fuel = self.fuel.saturating_sub(1);
        if self.left() == 0 || self.heap.len() > limits::CELLS { Err(Stop::Beyond) } else { Ok(()) }
    }

    /// `particle` with `letter` in its open captures.
    fn keep(&mut self, particle: Particle, letter: Letter) -> Result<Particle, Stop> {
        if particle.captures == 0 {
            return Ok(particle);
        }
        let open: Vec<(u16, Id)> = self
            .heap
            .list(particle.captures)
            .filter_map(|cell| match cell.kind {
                Kind::Open(site) => Some((site, cell.links[1])),
                _ => None,
            })
            .collect();
        let is_opaque = |site: u16| self.opaque.get(usize::from(site)).copied().unwrap_or(false);
        let are_opaque = open.iter().all(|(site, _)| is_opaque(*site));
        let kept = match letter {
            // What is hidden is not read, so it makes ways apart.
            Letter::Known(_) if are_opaque && particle.marks & HIDDEN == 0 => {
                let site = open.first().map_or(0, |(site, _)| *site);
                Letter::Opaque { number: JUST_READ, site, wide: false }
            }
            Letter::Opaque { site, .. } if !are_opaque => return Err(Stop::Tell(site)),
            letter => letter,
        };
        let mut captures = 0;
        for (site, letters) in open.into_iter().rev() {
            let letters = self.heap.cons(Kind::Letter(kept), letters, 0);
            captures = self.heap.cons(Kind::Open(site), captures, letters);
        }
        Ok(Particle { captures, ..particle })
    }

    fn todo(&mut self, node: NodeId, next: Id) -> Id {
        let size = self.plan.size(node);
        self.heap.add(Kind::Do(node), [next, 0], size.work as u32, size.pools)
    }

}
