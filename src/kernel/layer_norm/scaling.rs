//! Scaling of tokens by a norm.

/// Divisor of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Its standard deviation, and its mean is taken off before; otherwise its root mean square.
    pub is_centred: bool,
    /// Added to the mean square that is taken the root of, which guards a token of zeros.
    pub epsilon: f32,
}
