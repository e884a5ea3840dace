//! Half precision: the numbers of 16 bits that a GPU's matrix units multiply.

use burn::tensor::DType;
use burn_cubecl::cubecl;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;

/// The fewest tokens, terms and columns for which it is worth while to copy everything.
pub const LARGE: usize = 256;

/// Factor by which most gradients by a token's values are smaller than 1.
const HEADROOM: f32 = 64.0;

/// A number of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// bfloat16, with the range of 32 bits.
    Brain,
    /// IEEE's, from 6e-8 to 65,504: gradients are multiplied by their number of tokens, by which the
    /// mean over the tokens has divided them, and by some more.
    Ieee,
}

impl Half {
    /// The numbers that the matrix units of a GPU multiply, if it has any that can be used.
    pub fn of(client: &Client) -> Option<Self> {
        let units = &client.features().matmul;
        let sums = ElemType::Float(FloatKind::F32);
        [Self::Brain, Self::Ieee].into_iter().find(|half| {
            let types = (half.element(), half.element(), sums);
            units.cmma.iter().any(|unit| (unit.a_type, unit.b_type, unit.cd_type) == types)
        })
    }

    pub(super) fn element(self) -> ElemType {
        ElemType::Float(match self {
            Self::Brain => FloatKind::BF16,
            Self::Ieee => FloatKind::F16,
        })
    }

    pub fn dtype(self) -> DType {
        match self {
            Self::Brain => DType::BF16,
            Self::Ieee => DType::F16,
        }
    }

    /// Factor of gradients: a power of 2, by which nothing is rounded.
    pub(super) fn factor(self, tokens: usize) -> f32 {
        match self {
            Self::Brain => 1.0,
            Self::Ieee => HEADROOM * tokens.next_power_of_two() as f32,
        }
    }
}
