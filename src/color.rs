//! Colours of pictures.

/// The colour of an attention weight, 0 to 1, on viridis, which is readable without colour vision
/// and in grey. Its square root is taken, so that small weights can be told from none.
pub fn weight_color(weight: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(weight.clamp(0.0, 1.0).sqrt())).as_array()
}

/// The colour of a share, 0 to 1, on viridis.
pub fn share_color(share: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(share.clamp(0.0, 1.0))).as_array()
}

/// The colour of what is above or below 0, −1 to 1: blue below, white at 0, orange above, which the
/// colour-blind can tell apart.
pub fn signed_color(value: f32) -> [u8; 3] {
    let end = if value < 0.0 { [0.0, 90.0, 181.0] } else { [220.0, 80.0, 0.0] };
    end.map(|part: f32| (255.0 + (part - 255.0) * value.abs().min(1.0)) as u8)
}
