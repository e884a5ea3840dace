//! Text from a model. [`Decoder`] gives the logits of one token after another; [`sample`](Sampler) and [`Writer`]
//! draw tokens from them.

mod decode;
mod host;
mod probability;
mod prompt;
mod sample;
mod write;

pub use decode::{Decoder, MAX_HOST_PARAMETERS};
pub use host::{Shown, read_back};
pub use probability::{
    alternatives, descending, draw, entropy, log_sum_exp, probabilities, sample, surprisal,
};
pub use prompt::encode_prompt;
pub use sample::{MAX_SAMPLE_CHARS, Sampler};
pub use write::{Writer, Written};
