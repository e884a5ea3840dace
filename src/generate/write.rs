//! Continuations of prompts, with the probability of every character.

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use super::decode::Decoder;
use super::probability::{entropy, sample, surprisal};
use super::prompt::encode_prompt;
use crate::base::random::stream_rng;
use crate::model::Model;
use crate::report::EvalOptions;
use crate::tokenizer::{TextStream, Tokenizer};

/// A continuation, with the probability of each character at temperature 1.
#[derive(Default)]
pub struct Written {
    pub text: String,
    pub confidences: Vec<f64>,
    /// Entropy of the prediction of each character at temperature 1, in nats.
    pub entropies: Vec<f64>,
}

/// Writes continuations of prompts.
pub struct Writer {
    decoder: Decoder,
    tokenizer: Tokenizer,
    context: usize,
    temperature: f64,
    rng: ChaCha8Rng,
}

impl Writer {
    pub fn new(model: &Model, tokenizer: &Tokenizer, options: EvalOptions) -> Self {
        Self::with(Decoder::new(model), tokenizer, options)
    }

    /// A writer by a decoder that has decoded nothing yet.
    pub fn with(decoder: Decoder, tokenizer: &Tokenizer, options: EvalOptions) -> Self {
        Self {
            context: decoder.context(),
            decoder,
            tokenizer: tokenizer.clone(),
            temperature: options.temperature,
            rng: stream_rng(options.seed, WRITER_STREAM),
        }
    }

    /// Draws on with the random numbers of record `index` of an evaluation.
    pub fn reseed(&mut self, seed: u64, index: u64) {
        self.rng = stream_rng(seed, WRITER_STREAM - 1 - index);
    }

    /// Continues `prompt` up to and including `stop`, by at most `limit` tokens and no more than the context has room
    /// for.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If the tokenizer cannot read `prompt`.
    pub async fn write(
        &mut self,
        prompt: &str,
        stop: &str,
        limit: usize,
    ) -> Result<Written, ExecutionError> {
        let mut ids = encode_prompt(&self.tokenizer, prompt).expect("a prompt that was checked");
        let mut stream = TextStream::after(&ids);
        self.decoder.restart();
        let mut written = Written::default();
        let room = self.context.saturating_sub(ids.len());
        while written.confidences.len() < limit.min(room) && !written.text.ends_with(stop) {
            let logits = self.decoder.decode(&ids).await?;
            let may_follow = &logits[..self.tokenizer.text_size()];
            let id = sample(may_follow, self.temperature, 0, &mut self.rng);
            written.confidences.push(f64::from(-surprisal(&logits, id)).exp());
            written.entropies.push(entropy(&logits));
            written.text.push_str(&stream.push(&self.tokenizer, id as u32));
            ids = vec![id as u32];
        }
        written.text.push_str(&stream.finish(&self.tokenizer));
        Ok(written)
    }

    /// Reads `ids` and answers at each of `places`, which rise: the token that the model writes there, which it does not
    /// read.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn answer(
        &mut self,
        ids: &[u32],
        places: &[usize],
    ) -> Result<Vec<u32>, ExecutionError> {
        self.decoder.restart();
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(Vec::new());
        };
        let mut answers = Vec::new();
        for place in *first..=*last {
            let start = if place == *first { 0 } else { place };
            let logits = self.decoder.decode(&ids[start..=place]).await?;
            if places.contains(&place) {
                let may_follow = &logits[..self.tokenizer.text_size()];
                answers.push(sample(may_follow, self.temperature, 0, &mut self.rng) as u32);
            }
        }
        Ok(answers)
    }
}

const WRITER_STREAM: u64 = u64::MAX - 1;
