//! State of the optimizer.

/// Moments of the gradients, in the order of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// First moments, or momentum.
    pub first: Vec<f32>,
    /// Second moments; `None` of an optimizer without any.
    pub second: Option<Vec<f32>>,
}

impl Moments {
    /// First moments, and then second ones where there are any.
    pub fn vectors(&self) -> impl Iterator<Item = &Vec<f32>> {
        std::iter::once(&self.first).chain(&self.second)
    }
}
