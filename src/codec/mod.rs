//! The noise codec: a learner without multiplication, nonlinearity or gradient. Each token has a random key. To map a
//! token, the codec subtracts noise from its key, and writes the token whose key is nearest to the rest.

mod align;
mod answer;
mod between;
mod cell;
mod chain;
mod distance;
mod example;
mod explain;
mod figures;
mod file;
mod fit;
pub mod graph;
mod keys;
mod layer;
mod learner;
mod lesson;
mod mutate;
mod noise;
mod number;
mod pagerank;
mod run;
mod table;
mod tensors;
mod window;

pub use align::{align, levenshtein};
pub use between::Between;
pub use cell::Cell;
pub use chain::{Chain, Choice, Past, Proposal};
pub use distance::{Cost, Metric, cost, distance};
pub use explain::{Explained, ExplainedChoice, ExplainedNoise, ExplainedTurn, Source};
pub use figures::{analyse, entries};
pub use fit::Fitter;
pub use keys::Keys;
pub use learner::{Codec, Example, Said, Step};
pub use lesson::Learned;
pub use noise::Noise;
pub use pagerank::stationary;
pub use run::CodecRun;
pub use table::{Found, Table};
