//! Position encodings.

/// Rotation angle, in radians, of rotary encoding for pair `pair` of a head's components at `position` (Su et al.
/// 2021).
pub fn rope_angle(position: usize, pair: usize, d_head: usize, base: f64) -> f64 {
    position as f64 * base.powf(-2.0 * pair as f64 / d_head as f64)
}
