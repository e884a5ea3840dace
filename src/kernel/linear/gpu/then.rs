//! Steps that follow a product in the same kernel.

/// Step after a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    Nothing,
    Gelu,
    Add,
}
