//! Programs of their own for heads of some widths.

use macerator::Simd;

use crate::base::wide;
use crate::base::wide::Widely;

/// Width of heads for which there is no program of their own.
pub const ANY: usize = 0;

/// Computation on a head.
pub trait OfHead: Sized {
    /// Runs it on a head of `D` numbers, which then stay in registers, or on one of any width for [`ANY`]. `DROPS` is
    /// true if weights are dropped, which takes registers.
    fn run<S: Simd, const N: usize, const D: usize, const DROPS: bool>(self);
}

struct Program<T, const D: usize, const DROPS: bool>(T);

impl<T: OfHead, const D: usize, const DROPS: bool> Widely for Program<T, D, DROPS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self) {
        self.0.run::<S, N, D, DROPS>();
    }
}

/// Runs the program for heads of `d_head` numbers.
pub fn run(computation: impl OfHead, d_head: usize, drops: bool) {
    match (d_head, drops) {
        (2, false) => wide::run(Program::<_, 2, false>(computation)),
        (4, false) => wide::run(Program::<_, 4, false>(computation)),
        (_, false) => wide::run(Program::<_, ANY, false>(computation)),
        (2, true) => wide::run(Program::<_, 2, true>(computation)),
        (4, true) => wide::run(Program::<_, 4, true>(computation)),
        (_, true) => wide::run(Program::<_, ANY, true>(computation)),
    }
}
