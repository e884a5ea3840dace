//! Linear layer: its parameters.

use crate::kernel::param::Param;

/// A matrix that is applied as `x W`, and a bias.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub w: Param<2>,
    /// `[out]`
    pub b: Option<Param<1>>,
}
