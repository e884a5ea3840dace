//! Colours of pictures.

/// Colour of an attention weight, 0 to 1, on viridis, which is readable in grey and with colour blindness. The
/// scale is by square root, so that small weights differ visibly from 0.
pub fn weight_color(weight: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(weight.clamp(0.0, 1.0).sqrt())).as_array()
}

/// Colour of a share, 0 to 1, on viridis.
pub fn share_color(share: f32) -> [u8; 3] {
    colorous::VIRIDIS.eval_continuous(f64::from(share.clamp(0.0, 1.0))).as_array()
}

/// Colour of a signed value, −1 to 1: blue below 0, white at 0, orange above. Colour-blind readers can distinguish
/// them.
pub fn signed_color(value: f32) -> [u8; 3] {
    let end = if value < 0.0 { [0.0, 90.0, 181.0] } else { [220.0, 80.0, 0.0] };
    end.map(|part: f32| (255.0 + (part - 255.0) * value.abs().min(1.0)) as u8)
}
