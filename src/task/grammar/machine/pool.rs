//! Texts drawn with `unique`.

use super::super::heap::{Id, Kind};
use super::{Machine, Particle};

impl Machine<'_> {
    /// Pools and numbers of the texts that `at` has drawn, in order.
    fn drawn(&self, at: Particle) -> Vec<(u16, u16)> {
        let drawn = self.heap.list(at.drawn).filter_map(|cell| match cell.kind {
            Kind::Drawn(pool, index) => Some((pool, index)),
            _ => None,
        });
        drawn.collect()
    }

    fn drawn_list(&mut self, drawn: impl DoubleEndedIterator<Item = (u16, u16)>) -> Id {
        drawn.rev().fold(0, |list, (pool, index)| self.heap.cons(Kind::Drawn(pool, index), list, 0))
    }

    /// `at` without what it drew from pools that nothing draws from any more.
    pub(super) fn forget_drawn(&mut self, at: Particle) -> Particle {
        if at.drawn == 0 {
            return at;
        }
        let pools = self.heap.meta(at.todo).pools;
        let is_used = |pool: u16| pools & 1u32.checked_shl(u32::from(pool)).unwrap_or(0) != 0;
        let drawn = self.drawn(at);
        let drawn = self.drawn_list(drawn.into_iter().filter(|(pool, _)| is_used(*pool)));
        Particle { drawn, ..at }
    }

    /// Ways to draw a text from `pool` that is not drawn yet.
    pub(super) fn unique(&mut self, at: Particle, pool: usize, next: Id) -> Vec<(f64, Particle)> {
        let plan = self.plan;
        let drawn = self.drawn(at);
        let mut is_drawn = vec![false; plan.pool(pool).len()];
        for (_, index) in drawn.iter().filter(|(other, _)| usize::from(*other) == pool) {
            if let Some(is_drawn) = is_drawn.get_mut(usize::from(*index)) {
                *is_drawn = true;
            }
        }
        let texts = plan.pool(pool).iter().zip(is_drawn).enumerate();
        let left: Vec<(u16, &Vec<char>, f64)> = texts
            .filter(|(_, (_, is_drawn))| !is_drawn)
            .map(|(index, ((text, weight), _))| (index as u16, text, *weight))
            .collect();
        let total: f64 = left.iter().map(|(_, _, weight)| weight).sum();
        let mut branches = Vec::with_capacity(left.len());
        for (index, text, weight) in left {
            let mut drawn = drawn.clone();
            drawn.push((pool as u16, index));
            drawn.sort_unstable();
            let drawn = self.drawn_list(drawn.into_iter());
            let letters = self.literal(text);
            branches
                .push((weight / total, Particle { todo: self.write(letters, next), drawn, ..at }));
        }
        branches
    }
}
