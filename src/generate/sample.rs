//! Generation with a KV cache: greedy, temperature, top-k; seeded.

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use super::decode::Decoder;
use super::probability::{alternatives, draw, probabilities, surprisal};
use super::prompt::encode_prompt;
use crate::base::random::stream_rng;
use crate::model::Model;
use crate::protocol::{CharacterReport, Cost, SampleOptions};
use crate::task::{Oracle, Task};
use crate::tokenizer::{TextStream, TokenizeError, Tokenizer};

/// Most characters of a sample, whatever the options.
pub const MAX_SAMPLE_CHARS: usize = 4096;

/// A sample in progress. It keeps the weights from its start, even if training goes on.
pub struct Sampler {
    decoder: Decoder,
    tokenizer: Tokenizer,
    context: usize,
    options: SampleOptions,
    rng: ChaCha8Rng,
    /// Memory tokens, prompt and sampled tokens.
    ids: Vec<u32>,
    prompt_len: usize,
    text: String,
    stream: TextStream,
    /// Oracle that has read the text so far.
    oracle: Oracle,
}

impl Sampler {
    /// # Errors
    /// If the model does not know a character of the prompt.
    pub fn new(
        model: &Model,
        tokenizer: &Tokenizer,
        task: &Task,
        options: SampleOptions,
    ) -> Result<Self, TokenizeError> {
        Self::with(Decoder::new(model), tokenizer, task, options)
    }

    /// A sample by a decoder that has decoded nothing yet.
    ///
    /// # Errors
    /// If the model does not know a character of the prompt.
    pub fn with(
        decoder: Decoder,
        tokenizer: &Tokenizer,
        task: &Task,
        options: SampleOptions,
    ) -> Result<Self, TokenizeError> {
        let ids = encode_prompt(tokenizer, &options.prompt)?;
        let mut oracle = Oracle::new();
        for id in tokenizer.tokenize(&options.prompt)? {
            oracle.read(task, tokenizer.token(id).unwrap_or_default());
        }
        Ok(Self {
            context: decoder.context(),
            decoder,
            tokenizer: tokenizer.clone(),
            rng: stream_rng(options.seed, 0),
            text: options.prompt.clone(),
            stream: TextStream::after(&ids),
            oracle,
            prompt_len: ids.len(),
            options,
            ids,
        })
    }

    /// The prompt and the sampled text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Samples the next character; `None` once the sample has ended. `task` is the model's own.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self, task: &Task) -> Result<Option<CharacterReport>, ExecutionError> {
        let written = self.ids.len() - self.prompt_len;
        let limit = self.options.max_chars.min(MAX_SAMPLE_CHARS);
        let ended = written > 0 && task.is_at_end(&self.text);
        if ended || written >= limit {
            return Ok(None);
        }
        let logits = self.logits().await?;
        let SampleOptions { temperature, top_k, .. } = self.options;
        let drawn = probabilities(&logits[..self.tokenizer.text_size()], temperature, top_k);
        let id = draw(&drawn, &mut self.rng);
        self.ids.push(id as u32);
        let sampled = self.tokenizer.token(id as u32).unwrap_or("�").to_owned();
        let floor = self.oracle.read(task, &sampled).map(|floor| floor as f32);
        let mut text = self.stream.push(&self.tokenizer, id as u32);
        if written + 1 == limit {
            text += &self.stream.finish(&self.tokenizer);
        }
        self.text.push_str(&text);
        Ok(Some(CharacterReport {
            picked: sampled,
            text,
            alternatives: alternatives(&logits, None, &drawn, &self.tokenizer),
            cost: Cost { loss: surprisal(&logits, id), floor },
        }))
    }

    /// Logits after the last token. Beyond the context the model sees only the memory tokens and its last tokens,
    /// as in nanoGPT. Every token then has a new position, so the cache is filled anew.
    async fn logits(&mut self) -> Result<Vec<f32>, ExecutionError> {
        if self.decoder.len() >= self.context {
            self.decoder.restart();
        }
        if !self.decoder.is_empty() {
            return self.decoder.decode(&self.ids[self.ids.len() - 1..]).await;
        }
        let (memory, text) = self.ids.split_at(self.tokenizer.memory_tokens());
        let unseen = self.ids.len().saturating_sub(self.context);
        self.decoder.decode(&[memory, &text[unseen..]].concat()).await
    }
}
