//! Numbers in registers.
//!
//! Arrays that live across iterations of a loop are left in memory by the compiler as often as not; these are not.

use std::ops::{Add, Mul, Range, Sub};

use macerator::{AutoArch, Scalar, Simd, Vector, WithSimd};

use super::lanes::{EXP2, LANES, Lanes};

/// Some of [`LANES`] numbers, in `N` registers of the kind of CPU `S`: all where these are long, else a part of them at a time.
pub struct Wide<S: Simd, const N: usize>([Vector<S, f32>; N]);

impl<S: Simd, const N: usize> Copy for Wide<S, N> {}

impl<S: Simd, const N: usize> Clone for Wide<S, N> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

/// A computation on [`Wide`] numbers. Its functions have to be `#[inline(always)]`: what is not inlined is compiled for the
/// oldest CPU. It should be small: an engine of WebAssembly compiles long functions badly.
pub trait Widely: Sized {
    fn run<S: Simd, const N: usize>(self);
}

/// Runs a computation as compiled for this CPU.
pub fn run(computation: impl Widely) {
    AutoArch::new().dispatch(Dispatched(computation));
}

struct Dispatched<T>(T);

impl<T: Widely> WithSimd for Dispatched<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        match S::lanes32() {
            16 => self.0.run::<S, 1>(),
            // Without the branch, both programs would be one function of a page.
            2 if cfg!(target_family = "wasm") => unreachable!("the page is compiled with SIMD"),
            _ => self.0.run::<S, 2>(),
        }
    }
}

macro_rules! by_register {
    ($($trait:ident::$name:ident $operator:tt),*) => { $(
        impl<S: Simd, const N: usize> $trait for Wide<S, N> {
            type Output = Self;

            #[inline(always)]
            fn $name(mut self, other: Self) -> Self {
                for i in 0..N {
                    self.0[i] $operator other.0[i];
                }
                self
            }
        }
    )* };
}
by_register!(Add::add +=, Sub::sub -=, Mul::mul *=);

impl<S: Simd, const N: usize> Wide<S, N> {
    /// Numbers at a time.
    #[inline(always)]
    fn width() -> usize {
        N * S::lanes32()
    }

    /// How many parts [`LANES`] numbers have.
    #[inline(always)]
    pub fn parts() -> usize {
        LANES / Self::width()
    }

    /// `x` in all lanes.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Self([x.splat(); N])
    }

    #[inline(always)]
    pub fn load(from: &Lanes, part: usize) -> Self {
        let start = part * Self::width() % LANES;
        let mut to = Self::splat(0.0);
        for i in 0..N {
            // SAFETY: the width divides LANES, so that a part ends within `from`.
            to.0[i] =
                unsafe { macerator::vload_unaligned(from.as_ptr().add(start + i * S::lanes32())) };
        }
        to
    }

    #[inline(always)]
    pub fn store(self, to: &mut Lanes, part: usize) {
        let start = part * Self::width() % LANES;
        for i in 0..N {
            // SAFETY: the width divides LANES, so that a part ends within `to`.
            unsafe {
                macerator::vstore_unaligned(
                    to.as_mut_ptr().add(start + i * S::lanes32()),
                    self.0[i],
                )
            };
        }
    }

    /// The lanes of a part, with zeros in the others.
    #[inline(always)]
    pub fn lanes(self, part: usize) -> Lanes {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes, part);
        lanes
    }

    /// Which of the first `count` lanes are a part's.
    #[inline(always)]
    pub fn range(part: usize, count: usize) -> Range<usize> {
        let start = part * Self::width();
        start..count.min(start + Self::width())
    }

    /// `self b + c`, rounded once if the CPU has an instruction for it.
    #[inline(always)]
    pub fn mul_add(mut self, b: Self, c: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].mul_add(b.0[i], c.0[i]);
        }
        self
    }

    /// `b` where it is greater, else `self`.
    #[inline(always)]
    pub fn max(mut self, b: Self) -> Self {
        for i in 0..N {
            self.0[i] = match has_ordered::<S>() {
                true => b.0[i].max(self.0[i]),
                false => self.0[i].lt(b.0[i]).select(b.0[i], self.0[i]),
            };
        }
        self
    }

    /// `b` where it is less, else `self`.
    #[inline(always)]
    pub fn min(mut self, b: Self) -> Self {
        for i in 0..N {
            self.0[i] = match has_ordered::<S>() {
                true => b.0[i].min(self.0[i]),
                false => b.0[i].lt(self.0[i]).select(b.0[i], self.0[i]),
            };
        }
        self
    }

    /// [`lanes::exp2`](super::lanes::exp2) of each, but 0 below -126.5.
    #[inline(always)]
    pub fn exp2(self) -> Self {
        // The exponent of 2^-127 is stored as 0, which makes the number 0.
        let x = self.max(Self::splat(-127.0));
        let whole = x + Self::splat(EXP2.round);
        let f = x - (whole - Self::splat(EXP2.round));
        let mut series = Self::splat(EXP2.series[0]);
        for coefficient in &EXP2.series[1..] {
            series = series.mul_add(f, Self::splat(*coefficient));
        }
        for i in 0..N {
            let power = whole.0[i].reinterpret::<u32>() << 23;
            series.0[i] *= power.reinterpret();
        }
        series
    }
}

/// True if the instruction for the greater of two gives the second where either is no number. Those of NEON and a page do not, and
/// a page's is slower than a comparison.
#[inline(always)]
fn has_ordered<S: Simd>() -> bool {
    cfg!(target_arch = "x86_64") && S::lanes32() > 2
}
