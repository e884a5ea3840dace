//! Confab's models as other programs' files: the inverse of [`import`](crate::import).
//!
//! A model goes out in a layout that has a place for all of its parts, or not at all. What is written reads again to
//! the same parameters, to the bit. Beside models, films of figures go out.

mod error;
mod file;
mod film;
mod fit;
mod hugging_face;
mod nanogpt;
mod notebook;
mod pickle;
mod tensors;
mod tokenizer;
mod torch;
mod zip;
mod zipped;

pub use error::ExportError;
pub use file::OutFile;
pub use film::Film;
pub use hugging_face::hugging_face;
pub use nanogpt::nanogpt;
pub use notebook::notebook;
pub use zipped::zipped;
