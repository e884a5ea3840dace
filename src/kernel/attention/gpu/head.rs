//! Vectors of a head, as a unit computes with them.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::dropout::factor;

/// Units of a group: tokens of one head, one after the other.
pub const BLOCK: usize = 64;

/// The width of a head, by which a kernel is compiled: a unit keeps vectors of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub d_head: usize,
}

impl Head {
    /// Tokens that are in shared memory at a time: 4 KiB of each vector.
    pub fn tile(self) -> usize {
        (1024 / self.d_head).clamp(1, BLOCK)
    }

    pub fn scale(self) -> f32 {
        (self.d_head as f32).sqrt().recip()
    }
}

/// Copies a head's part of up to a tile of tokens to shared memory: `[token, d_head]`.
#[cube]
pub fn load(
    from: &[f32],
    to: &mut Shared<[f32]>,
    start: usize,
    width: usize,
    count: usize,
    #[comptime] head: Head,
) {
    for at in range_stepped(UNIT_POS as usize, comptime![head.tile() * head.d_head], BLOCK) {
        let token = at / head.d_head;
        if token < count {
            to[at] = from[start + token * width + at % head.d_head];
        }
    }
}

#[cube]
pub fn copy(from: &[f32], start: usize, #[comptime] head: Head) -> Array<f32> {
    let mut to = Array::<f32>::new(head.d_head);
    for d in 0..head.d_head {
        to[d] = from[start + d];
    }
    to
}

#[cube]
pub fn zeros(#[comptime] head: Head) -> Array<f32> {
    let mut to = Array::<f32>::new(head.d_head);
    for d in 0..head.d_head {
        to[d] = 0.0;
    }
    to
}

/// The product of a vector and one in shared memory.
#[cube]
pub fn dot(a: &Array<f32>, b: &Shared<[f32]>, start: usize, #[comptime] head: Head) -> f32 {
    let mut sum = 0.0f32;
    for d in 0..head.d_head {
        sum += a[d] * b[start + d];
    }
    sum
}

#[cube]
pub fn add(
    to: &mut Array<f32>,
    factor: f32,
    from: &Shared<[f32]>,
    start: usize,
    #[comptime] head: Head,
) {
    for d in 0..head.d_head {
        to[d] += factor * from[start + d];
    }
}

/// Dropout of patterns.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Dropped {
    seed: u32,
    threshold: u32,
    scale: f32,
    /// Place in its batch of the first row that is given.
    pub row: usize,
}

/// Factor of the weight at `place` among all of a batch.
#[cube]
pub fn dropped_factor(place: usize, dropped: &Dropped, #[comptime] drops: bool) -> f32 {
    if drops {
        factor(u32::cast_from(place), dropped.seed, dropped.threshold, dropped.scale)
    } else {
        1.0f32.runtime()
    }
}

/// `true` if any query may see the key at `place` of a batch.
#[cube]
pub fn is_seen(hidden: &[i32], place: usize, #[comptime] hides: bool) -> bool {
    if hides { hidden[place] == 0 } else { true.runtime() }
}

/// The first key that the query at `place` sees.
#[cube]
pub fn window_start(place: usize, window: usize) -> usize {
    (place + 1).max(window) - window
}
