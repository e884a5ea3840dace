//! Memory of partial derivations: linked cells, equal ones stored once.

use std::cell::Cell as Counter;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::mixer::Mixer;
use super::node::NodeId;

/// Number of a cell; 0 is no cell: an empty list, or nothing.
pub(super) type Id = u32;

/// A character of a text that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Letter {
    Known(char),
    /// A character that was read but need not be told apart from others. The same `number` is the same character.
    /// `site` is the chosen name that it was kept for; unless it is `wide`, it is one of those that name may have.
    Opaque {
        number: u32,
        site: u16,
        wide: bool,
    },
}

impl Letter {
    /// The character, unless it is opaque.
    pub fn known(self) -> Option<char> {
        match self {
            Self::Known(c) => Some(c),
            Self::Opaque { .. } => None,
        }
    }
}

/// Kind of a cell. The comment tells its two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    // What is still to be done; the first link is what comes after.
    /// Run a node. (next)
    Do(NodeId),
    /// Run the items of a sequence from this one on. (next)
    Rest(NodeId, u32),
    /// A repeat that has run so often. (next, items)
    Loop(NodeId, u32),
    /// A repeat after one more body. (next, items)
    Again(NodeId, u32),
    /// Write a text. (next, letters)
    Write,
    /// End a capture. (next)
    Close(NodeId),
    /// Return from a call. (next, slots of the caller)
    Leave(NodeId),
    /// Gather the parts of a body. (next)
    Collect(NodeId),
    /// Put the result into a slot. (next)
    Put(u16),
    /// Set the marks. (next)
    Mark(u8),
    /// Set the marks, after something hidden. (next, captures)
    Show(u8),
    // Lists; the first link is the rest.
    /// (rest)
    Letter(Letter),
    /// (rest, value)
    Item,
    /// An entry of a table, which is in order of keys. (rest, content)
    Entry(u32),
    /// An open capture. (rest, letters, the last first)
    Open(u16),
    /// A text drawn from a pool. (rest)
    Drawn(u16, u16),
}

impl Kind {
    /// The letter in a cell of a text.
    pub fn letter(self) -> Option<Letter> {
        match self {
            Self::Letter(letter) => Some(letter),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    pub kind: Kind,
    pub links: [Id; 2],
}

/// Facts of a cell and all that it leads to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta {
    /// Steps still to be done.
    pub work: u32,
    /// Pools that may be drawn from.
    pub pools: u32,
    /// True if opaque letters are in it.
    pub is_opaque: bool,
    /// Hash that leaves out which opaque letter is which.
    pub shape: u64,
}

/// All cells.
#[derive(Debug)]
pub(super) struct Heap {
    cells: Vec<(Cell, Meta)>,
    by_cell: HashMap<Cell, Id, BuildHasherDefault<Mixer>>,
    /// Cells looked for or read so far.
    touched: Counter<u64>,
}

impl Heap {
    pub fn new() -> Self {
        let nothing = Cell { kind: Kind::Item, links: [0; 2] };
        Self {
            cells: vec![(nothing, Meta::default())],
            by_cell: HashMap::default(),
            touched: Counter::new(0),
        }
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cell `id`; `None` if it is 0.
    pub fn get(&self, id: Id) -> Option<Cell> {
        if id == 0 { None } else { self.cells.get(id as usize).map(|(cell, _)| *cell) }
    }

    /// Number of times that a cell was added or read in a list: a measure of time.
    pub fn touched(&self) -> u64 {
        self.touched.get()
    }

    fn touch(&self) {
        self.touched.set(self.touched.get().saturating_add(1));
    }

    pub fn meta(&self, id: Id) -> Meta {
        self.cells.get(id as usize).map(|(_, meta)| *meta).unwrap_or_default()
    }

    /// Number of the cell, new or old. `work` and `pools` are those of what the cell does by itself.
    pub fn add(&mut self, kind: Kind, links: [Id; 2], work: u32, pools: u32) -> Id {
        self.touch();
        let cell = Cell { kind, links };
        let next = self.cells.len() as Id;
        let id = *self.by_cell.entry(cell).or_insert(next);
        if id == next {
            let [first, second] = links.map(|link| self.meta(link));
            let second_work = if matches!(kind, Kind::Write) { second.work } else { 0 };
            let mut shape = Mixer::default();
            match kind {
                Kind::Letter(Letter::Opaque { site, wide, .. }) => (site, wide).hash(&mut shape),
                kind => kind.hash(&mut shape),
            }
            (first.shape, second.shape).hash(&mut shape);
            let meta = Meta {
                work: work.saturating_add(first.work).saturating_add(second_work).saturating_add(1),
                pools: pools | first.pools,
                is_opaque: first.is_opaque
                    || second.is_opaque
                    || matches!(kind, Kind::Letter(Letter::Opaque { .. })),
                shape: shape.finish(),
            };
            self.cells.push((cell, meta));
        }
        id
    }

    /// A list with one more entry at its beginning.
    pub fn cons(&mut self, kind: Kind, rest: Id, content: Id) -> Id {
        self.add(kind, [rest, content], 0, 0)
    }

    /// The cells of a list, from its beginning.
    pub fn list(&self, first: Id) -> impl Iterator<Item = Cell> {
        let mut at = first;
        std::iter::from_fn(move || {
            let cell = self.get(at)?;
            self.touch();
            at = cell.links[0];
            Some(cell)
        })
    }

    /// The letters of a list, from its beginning.
    pub fn letters(&self, first: Id) -> std::vec::IntoIter<Letter> {
        let letters: Vec<Letter> = self
            .list(first)
            .filter_map(|cell| match cell.kind {
                Kind::Letter(letter) => Some(letter),
                _ => None,
            })
            .collect();
        letters.into_iter()
    }

    /// A list of `letters`, the last given standing first, before `rest`.
    pub fn push_letters(&mut self, letters: impl Iterator<Item = Letter>, rest: Id) -> Id {
        letters.fold(rest, |rest, letter| self.cons(Kind::Letter(letter), rest, 0))
    }

    /// Cell that `table` holds under `key`; 0 if nothing.
    pub fn lookup(&self, table: Id, key: u32) -> Id {
        self.list(table).find(|cell| cell.kind == Kind::Entry(key)).map_or(0, |cell| cell.links[1])
    }

    /// `table` with `content` under `key`; without an entry there if that is 0.
    pub fn set(&mut self, table: Id, key: u32, content: Id) -> Id {
        let mut smaller = Vec::new();
        let mut at = table;
        while let Some(Cell { kind: Kind::Entry(other), links: [rest, theirs] }) = self.get(at) {
            if other > key {
                break;
            }
            at = rest;
            if other == key {
                break;
            }
            smaller.push((other, theirs));
        }
        if content != 0 {
            at = self.cons(Kind::Entry(key), at, content);
        }
        for (other, theirs) in smaller.into_iter().rev() {
            at = self.cons(Kind::Entry(other), at, theirs);
        }
        at
    }

    /// `root` with its opaque letters numbered anew in the order in which they are met, from the end of each list.
    pub fn renumber(&mut self, root: Id, numbers: &mut Numbers) -> Id {
        let mut stack = vec![(root, false)];
        while let Some((id, are_links_done)) = stack.pop() {
            if !self.meta(id).is_opaque || numbers.cells.contains_key(&id) {
                continue;
            }
            let Some(mut cell) = self.get(id) else { continue };
            self.touch();
            if !are_links_done {
                stack.push((id, true));
                stack.extend([(cell.links[1], false), (cell.links[0], false)]);
                continue;
            }
            if let Kind::Letter(Letter::Opaque { number, .. }) = &mut cell.kind {
                let next = numbers.letters.len() as u32;
                *number = *numbers.letters.entry(*number).or_insert(next);
            }
            cell.links = cell.links.map(|link| numbers.cells.get(&link).copied().unwrap_or(link));
            let Meta { work, pools, .. } = self.meta(id);
            let new = self.add_same(cell, work, pools);
            numbers.cells.insert(id, new);
        }
        numbers.cells.get(&root).copied().unwrap_or(root)
    }

    /// Number of `cell`, whose work and pools are known in sum.
    fn add_same(&mut self, cell: Cell, work: u32, pools: u32) -> Id {
        let before = self.cells.len();
        let id = self.add(cell.kind, cell.links, 0, pools);
        if self.cells.len() > before
            && let Some((_, meta)) = self.cells.get_mut(id as usize)
        {
            meta.work = work;
        }
        id
    }
}

/// New numbers of opaque letters, and the cells that were changed so far.
#[derive(Default)]
pub(super) struct Numbers {
    letters: HashMap<u32, u32, BuildHasherDefault<Mixer>>,
    cells: HashMap<Id, Id, BuildHasherDefault<Mixer>>,
}
