//! Numbers in registers.
//!
//! Arrays that live across iterations of a loop are left in memory by the compiler as often as not; these are not.

use std::ops::{Add, Mul, Range, Sub};

use macerator::{AutoArch, Scalar, Simd, Vector, WithSimd};

use super::lanes::{EXP2_ROUND, EXP2_SERIES, LANES, Lanes};

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

/// The second number where the first compares so with it, else the first, also where either is no number.
macro_rules! extreme {
    ($(#[$attribute:meta])* $name:ident $compare:ident) => {
        $(#[$attribute])*
        #[inline(always)]
        pub fn $name(mut self, b: Self) -> Self {
            for i in 0..N {
                self.0[i] = match has_ordered::<S>() {
                    true => b.0[i].$name(self.0[i]),
                    false => self.0[i].$compare(b.0[i]).select(b.0[i], self.0[i]),
                };
            }
            self
        }
    };
}

impl<S: Simd, const N: usize> Wide<S, N> {
    /// Numbers at a time.
    #[inline(always)]
    fn width() -> usize {
        N * S::lanes32()
    }

    /// Number of parts of [`LANES`] numbers.
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

    /// Lanes of `part` among the first `count`.
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

    extreme! {
        /// `b` where it is greater, else `self`.
        max lt
    }

    extreme! {
        /// `b` where it is less, else `self`.
        min gt
    }

    /// [`lanes::exp2`](super::lanes::exp2) of each, but 0 below -126.5.
    #[inline(always)]
    pub fn exp2(self) -> Self {
        // The exponent of 2^-127 is stored as 0, which makes the number 0.
        let x = self.max(Self::splat(-127.0));
        let whole = x + Self::splat(EXP2_ROUND);
        let f = x - (whole - Self::splat(EXP2_ROUND));
        let mut series = Self::splat(EXP2_SERIES[0]);
        for coefficient in &EXP2_SERIES[1..] {
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::base::lanes::mul_add;

    /// Results of every operation on three times sixteen numbers.
    #[derive(Clone, Copy)]
    struct All<'a> {
        inputs: [Lanes; 3],
        results: &'a RefCell<Vec<[Lanes; 6]>>,
    }

    impl Widely for All<'_> {
        #[inline(always)]
        fn run<S: Simd, const N: usize>(self) {
            let mut results = [[0.0; LANES]; 6];
            for part in 0..Wide::<S, N>::parts() {
                let [a, b, c] = self.inputs.map(|lanes| Wide::<S, N>::load(&lanes, part));
                let of_each = [a + b, a - b, a * b, a.max(b), a.min(b), a.mul_add(b, c)];
                for (result, lanes) in of_each.iter().zip(&mut results) {
                    result.store(lanes, part);
                }
            }
            self.results.borrow_mut().push(results);
        }
    }

    /// Powers of two.
    #[derive(Clone, Copy)]
    struct Powers<'a> {
        exponents: Lanes,
        results: &'a RefCell<Vec<Lanes>>,
    }

    impl Widely for Powers<'_> {
        #[inline(always)]
        fn run<S: Simd, const N: usize>(self) {
            let mut results = [0.0; LANES];
            for part in 0..Wide::<S, N>::parts() {
                Wide::<S, N>::load(&self.exponents, part).exp2().store(&mut results, part);
            }
            self.results.borrow_mut().push(results);
        }
    }

    /// Runs a computation as compiled for every kind of CPU that this one can stand for.
    fn on_each(computation: impl Widely + Copy) {
        run(computation);
        #[cfg(target_arch = "x86_64")]
        {
            use macerator::Arch;
            let has_v2 = is_x86_feature_detected!("sse4.2");
            let has_v3 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            for (arch, is_there) in [(Arch::Scalar, true), (Arch::V2, has_v2), (Arch::V3, has_v3)] {
                if is_there {
                    // SAFETY: the CPU has what it is compiled for.
                    unsafe { arch.dispatch(Dispatched(computation)) };
                }
            }
        }
    }

    fn bits(lanes: &Lanes) -> [u32; LANES] {
        lanes.map(f32::to_bits)
    }

    #[test]
    fn operations_are_those_of_each_number() {
        let a = std::array::from_fn(|l| (l as f32 * 1.7).sin() * 3.0);
        let b = std::array::from_fn(|l| (l as f32 * 2.3).cos());
        let c = std::array::from_fn(|l| l as f32 - 7.5);
        let results = RefCell::default();
        on_each(All { inputs: [a, b, c], results: &results });
        let each = |of: fn(f32, f32, f32) -> f32| std::array::from_fn(|l| of(a[l], b[l], c[l]));
        let exact: [Lanes; 5] = [
            each(|a, b, _| a + b),
            each(|a, b, _| a - b),
            each(|a, b, _| a * b),
            each(|a, b, _| a.max(b)),
            each(|a, b, _| a.min(b)),
        ];
        let [fused, rounded] =
            [each(mul_add::<true>), each(mul_add::<false>)].map(|lanes: Lanes| bits(&lanes));
        assert!(!results.borrow().is_empty());
        for result in results.borrow().iter() {
            for (got, expected) in result.iter().zip(&exact) {
                assert_eq!(bits(got), bits(expected));
            }
            let got = bits(&result[5]);
            assert!(got == fused || got == rounded, "{got:x?}");
        }
    }

    /// A query or key that is no number makes its outputs none; another's it leaves alone.
    #[test]
    fn what_is_no_number_stays_so() {
        let results = RefCell::default();
        let inputs = [[f32::NAN; LANES], [1.0; LANES], [0.0; LANES]];
        on_each(All { inputs, results: &results });
        let [nan, one, zero] = inputs;
        on_each(All { inputs: [one, nan, zero], results: &results });
        let results = results.into_inner();
        let (first, second) = results.split_at(results.len() / 2);
        for result in first {
            assert!(result[3].iter().chain(&result[4]).all(|value| value.is_nan()), "{result:?}");
        }
        for result in second {
            assert!(result[3].iter().chain(&result[4]).all(|value| *value == 1.0), "{result:?}");
        }
    }

    #[test]
    fn powers_of_two_are_near_and_end_at_0() {
        for first in 0..10_000 {
            let exponents = std::array::from_fn(|l| (first as f32 + l as f32 / 16.0) * -0.0126);
            let results = RefCell::default();
            on_each(Powers { exponents, results: &results });
            for result in results.borrow().iter() {
                for (x, power) in exponents.iter().zip(result) {
                    let exact = f64::from(*x).exp2();
                    assert!(
                        (f64::from(*power) - exact).abs() <= 3e-7 * exact + 1.2e-38,
                        "2^{x} is {power}"
                    );
                }
            }
        }
        let exponents = std::array::from_fn(|l| {
            [-126.6, -127.5, -1e3, -1e30, f32::NEG_INFINITY, f32::NAN][l % 6]
        });
        let results = RefCell::default();
        on_each(Powers { exponents, results: &results });
        for result in results.borrow().iter() {
            for (x, power) in exponents.iter().zip(result) {
                assert!(
                    if x.is_nan() { power.is_nan() } else { *power == 0.0 },
                    "2^{x} is {power}"
                );
            }
        }
    }
}
