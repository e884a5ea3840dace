//! GELU in a GPU's kernels.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{PEAK, SERIES, SLOPE};

/// `Φ(x)`, within 1e-7, given `e^(-x²/2)`: from the tail that `x` is in.
#[cube]
fn below(x: f32, power: f32) -> f32 {
    let t = 1.0 / (SLOPE * x.abs() + 1.0);
    let [a, b, c, d, e] = comptime![SERIES];
    let series = (((a.runtime() * t + b) * t + c) * t + d) * t + e;
    let tail = 0.5 * series * t * power;
    select(x < 0.0, tail, 1.0 - tail)
}

/// GELU of `x`, and its derivative there.
#[cube]
pub fn gelu(x: f32) -> (f32, f32) {
    let power = (x * x * -0.5f32).exp();
    let below = below(x, power);
    (x * below, below + x * PEAK * power)
}
