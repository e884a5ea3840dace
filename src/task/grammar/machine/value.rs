//! Kept texts: what is read of them, and the orders in which they are written again.

use super::super::heap::{Id, Kind, Letter};
use super::super::tree::Order;
use super::super::want::Want;
use super::order::sort;
use super::{Machine, Stop};

/// Keys of what a kept value has: its text (the last letter first), its items (the last first), what stands between
/// them (the first letter first), and from here on its parts.
pub(super) const TEXT: u32 = 0;
pub(super) const ITEMS: u32 = 1;
pub(super) const BETWEEN: u32 = 2;
pub(super) const PARTS: u32 = 3;

impl Machine<'_> {
    /// `result` with the contents of slots as its parts.
    pub(super) fn gather(&mut self, parts: &[(u16, u16)], slots: Id, mut result: Id) -> Id {
        for (name, slot) in parts {
            let content = self.heap.lookup(slots, u32::from(*slot));
            result = self.heap.set(result, PARTS + u32::from(*name), content);
        }
        result
    }

    /// `slots`, with only `keep` of what is in `slot`.
    pub(super) fn trim(&mut self, slots: Id, slot: u16, keep: &Want) -> Id {
        let value = self.heap.lookup(slots, u32::from(slot));
        let kept = self.project(value, keep);
        if kept == value { slots } else { self.heap.set(slots, u32::from(slot), kept) }
    }

    /// Keeps of `value` what `want` reads.
    pub(super) fn project(&mut self, value: Id, want: &Want) -> Id {
        let mut out = 0;
        for (name, want) in want.parts.iter().rev() {
            let part = self.heap.lookup(value, PARTS + u32::from(*name));
            let part = self.project(part, want);
            out = self.heap.set(out, PARTS + u32::from(*name), part);
        }
        if let Some(want) = &want.items {
            let between = self.heap.lookup(value, BETWEEN);
            let items: Vec<Id> =
                self.heap.list(self.heap.lookup(value, ITEMS)).map(|cell| cell.links[1]).collect();
            let mut list = 0;
            for item in items.into_iter().rev() {
                let item = self.project(item, want);
                list = self.heap.cons(Kind::Item, list, item);
            }
            out = self.heap.set(out, BETWEEN, between);
            out = self.heap.set(out, ITEMS, list);
        }
        if want.text {
            let text = self.heap.lookup(value, TEXT);
            out = self.heap.set(out, TEXT, text);
        }
        out
    }

    /// Letters of `value` in order, the first letter first.
    pub(super) fn in_order(&mut self, value: Id, order: Order) -> Result<Id, Stop> {
        let items = self.heap.lookup(value, ITEMS);
        if items == 0 || order == Order::Written {
            let text = self.heap.lookup(value, TEXT);
            return match order {
                // Kept texts have their last letter first.
                Order::Reversed => Ok(text),
                Order::Written => {
                    let letters = self.heap.letters(text);
                    Ok(self.heap.push_letters(letters, 0))
                }
                Order::Rising | Order::Falling => {
                    let units = self.heap.letters(text).map(|letter| vec![letter]).collect();
                    self.sorted(units, &[], order)
                }
            };
        }
        let mut units = Vec::new();
        for cell in self.heap.list(items) {
            let text = self.heap.lookup(cell.links[1], TEXT);
            units.push(self.heap.letters(text).rev().collect::<Vec<Letter>>());
        }
        let between: Vec<Letter> = self.heap.letters(self.heap.lookup(value, BETWEEN)).collect();
        match order {
            Order::Rising | Order::Falling => self.sorted(units, &between, order),
            // Lists have their last item first.
            Order::Reversed | Order::Written => Ok(self.joined(&units, &between)),
        }
    }

    fn joined(&mut self, units: &[Vec<Letter>], between: &[Letter]) -> Id {
        let letters = units.join(between);
        self.heap.push_letters(letters.into_iter().rev(), 0)
    }

    /// `units`, sorted, with `between` between them.
    fn sorted(
        &mut self,
        mut units: Vec<Vec<Letter>>,
        between: &[Letter],
        order: Order,
    ) -> Result<Id, Stop> {
        let opaque = units.iter().flatten().find_map(|letter| match letter {
            Letter::Opaque { site, .. } => Some(*site),
            Letter::Known(_) => None,
        });
        let Some(site) = opaque.filter(|_| units.len() > 1) else {
            sort(&mut units, order == Order::Falling, |letter| letter.known().unwrap_or_default());
            return Ok(self.joined(&units, between));
        };
        // Which letter stands where cannot be known, but how many there are.
        let length = units.first().map_or(0, Vec::len);
        if units.iter().any(|unit| unit.len() != length) {
            return Err(Stop::Tell(site));
        }
        let key = (self.joined(&units, between), order == Order::Falling);
        if let Some(found) = self.sorted.get(&key) {
            return Ok(*found);
        }
        for letter in units.iter_mut().flatten() {
            *letter = Letter::Opaque { number: self.fresh, site, wide: true };
            self.fresh += 1;
        }
        let out = self.joined(&units, between);
        self.sorted.insert(key, out);
        Ok(out)
    }
}
