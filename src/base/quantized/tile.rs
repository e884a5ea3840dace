//! Tiles of numbers that are rounded to levels.

use crate::base::lanes::{LANES, Lanes, mul_add};

/// Rows of a tile, which share the scales.
pub const BLOCK: usize = 32;
const HALF: usize = BLOCK / 2;

/// 32 rows of 16 columns. Each column of a tile is a block: a number stands for its level times the block's scale.
///
/// The blocks are llama.cpp's Q8_0 and Q4_0 (`ggml/src/ggml-common.h`) but for two things. The scale is a bfloat16,
/// rounded up, where theirs is a half: it has the range of 32 bits, so no block below 1e38 is too large or too small. And 4
/// bits have the levels -7 to 7, where theirs reach from -8 to 7: both signs reach as far, so that no number is further
/// than half a step from its level. Sixteen blocks lie side by side, so that a product adds to as many sums at once.
pub trait Tile: Copy + Send + Sync {
    /// The largest level; the smallest is its negative.
    const LARGEST: f32;
    /// Offset that a stored level has.
    const RAISED: f32;

    /// A tile of these levels, of size [`LARGEST`](Self::LARGEST) at most.
    fn of_levels(scales: [u16; LANES], levels: &[[i8; LANES]; BLOCK]) -> Self;

    /// Upper halves of the bits of the scales.
    fn stored_scales(&self) -> [u16; LANES];

    /// Raised levels of a row of the first or the second half.
    fn raised<const IS_SECOND: bool>(&self, row: usize) -> Lanes;

    /// Distance of two levels of each column.
    #[inline(always)]
    fn scales(&self) -> Lanes {
        self.stored_scales().map(|stored| f32::from_bits(u32::from(stored) << 16))
    }

    /// The levels that are nearest to `numbers`, which are below 1e38: none is off by more than half the scale.
    #[inline(always)]
    fn nearest(numbers: &[Lanes; BLOCK]) -> Self {
        let mut largest = [0.0; LANES];
        for row in numbers {
            for l in 0..LANES {
                largest[l] = row[l].abs().max(largest[l]);
            }
        }
        // Rounded up, so that the largest number is within the levels, and never to 0 unless all are.
        let scales = largest.map(|largest: f32| {
            let scale = ((largest / Self::LARGEST).to_bits() + 0xffff) >> 16;
            if largest == 0.0 { 0 } else { scale.max(1) as u16 }
        });
        let mut levels = [[0; LANES]; BLOCK];
        for (row, levels) in numbers.iter().zip(&mut levels) {
            for l in 0..LANES {
                let step = f32::from_bits(u32::from(scales[l].max(1)) << 16);
                levels[l] = (row[l] / step).round_ties_even() as i8;
            }
        }
        Self::of_levels(scales, &levels)
    }

    /// The products of raised levels with `x`.
    #[inline(always)]
    fn raised_products<const FMA: bool>(&self, x: &[f32; BLOCK]) -> Lanes {
        let (low, high) = x.split_at(HALF);
        let mut sums = self.half_products::<FMA, false>(low);
        let others = self.half_products::<FMA, true>(high);
        for l in 0..LANES {
            sums[l] += others[l];
        }
        sums
    }

    /// The products of the first or the second half: each half has sums of its own, or every addition would wait for
    /// the one before.
    #[inline(always)]
    fn half_products<const FMA: bool, const IS_SECOND: bool>(&self, x: &[f32]) -> Lanes {
        let mut sums = [0.0; LANES];
        for (row, x) in x.iter().enumerate() {
            let raised = self.raised::<IS_SECOND>(row);
            for l in 0..LANES {
                sums[l] = mul_add::<FMA>(*x, raised[l], sums[l]);
            }
        }
        sums
    }

    /// Writes the numbers that the levels stand for to `to`, where rows begin `by_row` apart.
    #[inline(always)]
    fn widen(&self, to: &mut [f32], by_row: usize) {
        self.widen_half::<false>(to, by_row);
        self.widen_half::<true>(&mut to[HALF * by_row..], by_row);
    }

    #[inline(always)]
    fn widen_half<const IS_SECOND: bool>(&self, to: &mut [f32], by_row: usize) {
        let scales = self.scales();
        for row in 0..HALF {
            let raised = self.raised::<IS_SECOND>(row);
            let to = &mut to[row * by_row..][..LANES];
            for l in 0..LANES {
                to[l] = (raised[l] - Self::RAISED) * scales[l];
            }
        }
    }
}

/// Levels of 8 bits, 34 bytes a block.
#[derive(Clone, Copy, Debug)]
pub struct Int8 {
    scales: [u16; LANES],
    levels: [[i8; LANES]; BLOCK],
}

/// Levels of 4 bits, 18 bytes a block.
#[derive(Clone, Copy, Debug)]
pub struct Int4 {
    scales: [u16; LANES],
    /// A raised level of the first half in the low bits and one of the second half in the high bits.
    pairs: [[u8; LANES]; HALF],
}

impl Tile for Int8 {
    const LARGEST: f32 = 127.0;
    const RAISED: f32 = 0.0;

    #[inline(always)]
    fn of_levels(scales: [u16; LANES], levels: &[[i8; LANES]; BLOCK]) -> Self {
        Self { scales, levels: *levels }
    }

    #[inline(always)]
    fn stored_scales(&self) -> [u16; LANES] {
        self.scales
    }

    #[inline(always)]
    fn raised<const IS_SECOND: bool>(&self, row: usize) -> Lanes {
        let levels = &self.levels[if IS_SECOND { HALF + row } else { row }];
        levels.map(f32::from)
    }
}

impl Tile for Int4 {
    const LARGEST: f32 = 7.0;
    const RAISED: f32 = 8.0;

    #[inline(always)]
    fn of_levels(scales: [u16; LANES], levels: &[[i8; LANES]; BLOCK]) -> Self {
        let mut pairs = [[0; LANES]; HALF];
        for (row, pairs) in pairs.iter_mut().enumerate() {
            for l in 0..LANES {
                let [low, high] = [row, HALF + row].map(|row| (levels[row][l] + 8) as u8);
                pairs[l] = low | high << 4;
            }
        }
        Self { scales, pairs }
    }

    #[inline(always)]
    fn stored_scales(&self) -> [u16; LANES] {
        self.scales
    }

    #[inline(always)]
    fn raised<const IS_SECOND: bool>(&self, row: usize) -> Lanes {
        self.pairs[row].map(|pair| f32::from(if IS_SECOND { pair >> 4 } else { pair & 15 }))
    }
}
