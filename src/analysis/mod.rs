//! What is derived from traces.

mod by_type;

pub use by_type::Averaging;
