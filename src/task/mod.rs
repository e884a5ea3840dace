//! Tasks, which a model is trained on. A task draws **records** from a seeded generator, says which field each
//! character belongs to, and keeps validation records apart by construction.

mod blocks;
mod brackets;
mod cut;
mod facts;
mod floor;
pub mod grammar;
mod induction;
mod likeliest;
mod limited;
mod mapping;
mod modular;
mod mqar;
mod ngram;
mod oracle;
mod phone;
mod prefixes;
mod probe;
mod question;
mod registry;
mod sequence;
mod source;
mod spaced;
mod split;
mod supplement;
mod text;
mod words;
mod written;

pub use brackets::Brackets;
pub use cut::in_tokens;
pub use facts::Facts;
pub use induction::Induction;
pub use likeliest::WINDOW;
pub use modular::Modular;
pub use mqar::Mqar;
pub use ngram::Grams;
pub use oracle::{Oracle, surprisals};
pub use phone::{Phone, UNKNOWN};
pub use question::Question;
pub use registry::Task;
pub use sequence::{Order, Sequence};
pub use source::RecordSource;
pub use spaced::Spaced;
pub use split::Split;
pub use text::Text;
#[cfg(not(target_family = "wasm"))]
pub use text::text_file;
pub use words::{Asked, Sentences};
pub use written::Written;
