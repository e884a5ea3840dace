//! State of the optimizer.

/// AdamW's first and second moments, in the order of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}
