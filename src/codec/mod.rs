//! The noise codec: a learner without multiplication, nonlinearity or gradient. Each token has a random key. Noise is
//! subtracted from it, and the nearest key is the token that is written.

mod align;
mod answer;
mod cell;
mod distance;
mod example;
mod explain;
mod file;
mod figures;
mod fit;
mod keys;
mod layer;
mod learner;
mod noise;
mod number;
mod run;
mod table;
mod window;

pub use align::{align, levenshtein};
pub use cell::Cell;
pub use learner::{Codec, Example, Learned, Step};
pub use figures::{analyse, entries};
pub use fit::Fitter;
pub use distance::{Cost, Metric, cost, distance};
pub use explain::{Explained, ExplainedNoise, Source};
pub use keys::Keys;
pub use noise::Noise;
pub use run::CodecRun;
pub use table::{Found, Table};
