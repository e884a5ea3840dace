//! KV-cached generation: greedy, temperature, top-k; seeded.

use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use crate::decode::Decoder;
use crate::protocol::{ALTERNATIVES, Alternative, CharacterReport, Cost, SampleOptions};
use crate::task::floor::Oracle;
use crate::task::{Task, record_rng};
use crate::tokenizer::{Tokenizer, UnknownCharacter};
use crate::trainer::Trainer;

/// The mark after which a sample ends.
const END: &str = "{E}";
/// Most characters drawn, whatever is asked for.
pub const MAX_SAMPLE_CHARS: usize = 4096;

/// A sample under way. It keeps the weights it began with, whatever training does meanwhile.
pub struct Sampler {
    decoder: Decoder,
    tokenizer: Tokenizer,
    context: usize,
    options: SampleOptions,
    rng: ChaCha8Rng,
    /// The memory tokens, the prompt and what was drawn.
    ids: Vec<u32>,
    prompt_len: usize,
    text: String,
    /// Has read the text so far.
    oracle: Oracle,
}

impl Sampler {
    /// # Errors
    /// A character of the prompt that the model does not know.
    pub fn new(trainer: &Trainer, options: SampleOptions) -> Result<Self, UnknownCharacter> {
        let ids = encode_prompt(&trainer.tokenizer, &options.prompt)?;
        let mut oracle = Oracle::new();
        oracle.read_all(&trainer.task, &options.prompt);
        Ok(Self {
            decoder: Decoder::new(trainer),
            tokenizer: trainer.tokenizer.clone(),
            context: trainer.config.model.context,
            rng: record_rng(options.seed, 0),
            text: options.prompt.clone(),
            oracle,
            prompt_len: ids.len(),
            options,
            ids,
        })
    }

    /// The prompt and what was drawn after it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Draws the next character; `None` once the sample has ended. `task` is the model's own.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self, task: &Task) -> Result<Option<CharacterReport>, ExecutionError> {
        let drawn = self.ids.len() - self.prompt_len;
        let ended = drawn > 0 && self.text.ends_with(END);
        if ended || drawn >= self.options.max_chars.min(MAX_SAMPLE_CHARS) {
            return Ok(None);
        }
        let logits = self.logits().await?;
        let SampleOptions { temperature, top_k, .. } = self.options;
        let may_follow = &logits[..self.tokenizer.text_size()];
        let id = pick(may_follow, temperature, top_k, &mut self.rng);
        self.ids.push(id as u32);
        let picked = self.tokenizer.token(id as u32).unwrap_or("�").to_owned();
        let floor = picked.chars().next();
        let floor = floor.and_then(|character| self.oracle.read(task, &self.text, character));
        let floor = floor.map(|floor| floor as f32);
        self.text.push_str(&picked);
        Ok(Some(CharacterReport {
            picked,
            alternatives: alternatives(&logits, &chances(&logits, 1.0, 0), &self.tokenizer),
            cost: Cost { loss: surprisal(&logits, id), floor },
        }))
    }

    /// Logits after the last token. Beyond the context only memory tokens and its last tokens are
    /// seen, as in nanoGPT; every token then has a new position, so the cache is filled anew.
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

/// What a model reads of `prompt`; of a line break in the place of an empty one, for a model needs
/// something to write on from.
pub(crate) fn encode_prompt(
    tokenizer: &Tokenizer,
    prompt: &str,
) -> Result<Vec<u32>, UnknownCharacter> {
    match prompt {
        "" => Ok(tokenizer.encode("\n").unwrap_or_else(|_| tokenizer.after_memory(&[0]))),
        prompt => tokenizer.encode(prompt),
    }
}

/// One row of token ids on the device: `[1, seq]`.
pub(crate) fn to_tensor(ids: &[u32], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
    let seq = ids.len();
    Tensor::from_data(TensorData::new(ids, [1, seq]), device)
}

/// Draws an id from `softmax(logits / temperature)` among the `top_k` largest (0: among all).
/// Temperature 0 takes the largest.
pub fn pick(logits: &[f32], temperature: f64, top_k: usize, rng: &mut impl Rng) -> usize {
    draw(&chances(logits, temperature, top_k), rng)
}

/// Draws one of these ids; if there is only one, without asking `rng`.
pub fn draw(chances: &[(usize, f64)], rng: &mut impl Rng) -> usize {
    let Some((last, _)) = chances.last() else { return 0 };
    if chances.len() == 1 {
        return *last;
    }
    let mut left = rng.random::<f64>();
    for (id, chance) in chances {
        left -= chance;
        if left <= 0.0 {
            return *id;
        }
    }
    *last
}

/// ln of the sum of e^logit, from which log-probabilities are counted.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln()
}

/// −ln of the probability of `id` at temperature 1, in nats.
pub fn surprisal(logits: &[f32], id: usize) -> f32 {
    log_sum_exp(logits) - logits[id]
}

/// What may be drawn of `logits`: ids, likeliest first, with their probabilities.
pub fn chances(logits: &[f32], temperature: f64, top_k: usize) -> Vec<(usize, f64)> {
    let mut order = descending(logits);
    let most = if temperature <= 0.0 {
        1
    } else if top_k == 0 {
        order.len()
    } else {
        top_k
    };
    order.truncate(most);
    let largest = order.first().map_or(0.0, |id| f64::from(logits[*id]));
    let weigh = |id: usize| {
        let below = f64::from(logits[id]) - largest;
        if below == 0.0 { 1.0 } else { (below / temperature).exp() }
    };
    let weights: Vec<f64> = order.iter().map(|id| weigh(*id)).collect();
    let total: f64 = weights.iter().sum();
    order.into_iter().zip(weights).map(|(id, weight)| (id, weight / total)).collect()
}

/// Entropy of `softmax(logits)`, in nats.
pub fn entropy(logits: &[f32]) -> f64 {
    let total = f64::from(log_sum_exp(logits));
    let costs = logits.iter().map(|logit| total - f64::from(*logit));
    costs.map(|cost| cost * (-cost).exp()).sum()
}

/// The likeliest of `chances`, which are of these logits, at most [`ALTERNATIVES`].
pub fn alternatives(
    logits: &[f32],
    chances: &[(usize, f64)],
    tokenizer: &Tokenizer,
) -> Vec<Alternative> {
    let alternative = |(id, probability): &(usize, f64)| {
        let token = tokenizer.token(*id as u32)?.to_owned();
        Some(Alternative { token, probability: *probability as f32, logit: logits[*id] })
    };
    chances.iter().take(ALTERNATIVES).filter_map(alternative).collect()
}

pub(crate) fn descending(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
}
