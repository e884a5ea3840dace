//! Other people's models as Confab's own weights, from the bytes of their files.
//!
//! [`select`] chooses the files that count, [`plan()`] learns what the model is and that all of it is
//! there, and [`Plan::parameters`] or [`Plan::weights`] converts its weights. Nothing in a file is run, and every size is
//! checked against the file's own length before memory is taken.

mod bare;
mod error;
mod family;
mod file;
mod hugging_face;
mod imported;
#[cfg(feature = "cli")]
mod meta;
mod model_files;
mod nanogpt;
mod open;
pub mod peft;
#[cfg(feature = "cli")]
mod pickle;
mod plan;
mod rowless;
mod selection;
mod settings;
mod shards;
#[cfg(feature = "cli")]
mod state_dict;
mod tensors;
mod token_files;
#[cfg(feature = "cli")]
mod torch;
mod vocabulary;
mod weights;

pub use error::ImportError;
pub use family::{Family, GPT2, LLAMA, NANOGPT};
pub use file::File;
pub use imported::{Imported, import};
pub use open::{OpenError, Opened, open, open_stored};
pub use plan::{Plan, plan};
pub use selection::{Selection, select};
pub use vocabulary::Vocabulary;
