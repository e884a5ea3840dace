//! Other people's models as Confab's own weights, from the bytes of their files.
//!
//! [`plan()`] learns what the model is and that all of it is there; [`Plan::parameters`] then
//! converts its weights. Nothing in a file is run, and every size is checked against the file's own
//! length before memory is taken.

mod error;
mod family;
mod file;
mod hugging_face;
mod imported;
mod model_files;
#[cfg(feature = "cli")]
mod nanogpt;
mod open;
#[cfg(feature = "cli")]
mod pickle;
mod plan;
mod settings;
mod tensors;
mod token_files;
#[cfg(feature = "cli")]
mod torch;
mod vocabulary;

pub use error::ImportError;
pub use file::File;
pub use imported::{Imported, import};
pub use open::{OpenError, open};
pub use plan::{Plan, plan};
pub use vocabulary::Vocabulary;
