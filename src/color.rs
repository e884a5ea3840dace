//! Colours of pictures.

/// The colour of an attention weight, 0 to 1, on viridis, which is readable without colour vision
/// and in grey. Its square root is taken, so that small weights can be told from none.
pub fn weight_color(weight: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(weight.clamp(0.0, 1.0).sqrt())).as_array()
}
