//! Confab's models as other programs' files: the inverse of [`import`](crate::import).
//!
//! A model goes out in a layout that has a place for all of its parts, or not at all. What is written reads again to
//! the same parameters, to the bit.

mod error;
mod file;
mod fit;
mod hugging_face;
#[cfg(feature = "cli")]
mod nanogpt;
mod notebook;
#[cfg(feature = "cli")]
mod pickle;
mod tensors;
mod tokenizer;
#[cfg(feature = "cli")]
mod torch;
mod zip;

pub use error::ExportError;
pub use file::OutFile;
pub use hugging_face::{hugging_face, hugging_face_zip};
#[cfg(feature = "cli")]
pub use nanogpt::nanogpt;
pub use notebook::notebook;
