//! Numbers of keys: decimal fractions in [0, 1).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Decimal places of a number.
pub const PLACES: usize = 9;
/// 1 in units of the last place. Numbers are whole multiples of that unit, below 1.
pub const WHOLE: u32 = 1_000_000_000;

/// `key` minus `noise`, modulo 1.
pub fn minus(key: u32, noise: u32) -> u32 {
    if key >= noise { key - noise } else { WHOLE - noise + key }
}

/// `number` moved by `by`, modulo 1.
pub fn moved(number: u32, by: i64) -> u32 {
    (i64::from(number) + by).rem_euclid(i64::from(WHOLE)) as u32
}

/// Shortest way from `from` to `to` on the circle of numbers, -WHOLE/2 to WHOLE/2.
pub fn way(from: u32, to: u32) -> i64 {
    let forward = i64::from(minus(to, from));
    if forward > i64::from(WHOLE / 2) { forward - i64::from(WHOLE) } else { forward }
}

/// The number nearest below `fraction`, which is taken modulo 1.
pub fn of_fraction(fraction: f64) -> u32 {
    // A tiny negative fraction is 1 after rounding.
    ((fraction.rem_euclid(1.0) * f64::from(WHOLE)) as u32).min(WHOLE - 1)
}

pub fn fraction(number: u32) -> f64 {
    f64::from(number) / f64::from(WHOLE)
}

/// Digit of `number` at `place`, from 0 at the left.
pub fn digit(number: u32, place: usize) -> usize {
    (number / unit(place) % 10) as usize
}

/// Value of a digit 1 at `place`, in units of the last place.
pub fn unit(place: usize) -> u32 {
    10_u32.pow((PLACES - 1 - place) as u32)
}

/// Draws evenly a number with `digits` digits, 1 to [`PLACES`].
pub fn draw(digits: usize, rng: &mut ChaCha8Rng) -> u32 {
    let last = unit(digits - 1);
    rng.random_range(0..WHOLE / last) * last
}
