//! What one forward pass over a prompt computed.

use burn::tensor::{ExecutionError, Transaction};

use crate::model::weights::to_device;
use crate::protocol::{Cost, Expected, SampleOptions, Trace};
use crate::sample::{alternatives, chances, draw, surprisal, to_tensor};
use crate::task::floor::surprisals;
use crate::task::record_rng;
use crate::tokenizer::UnknownCharacter;
use crate::trainer::{Trainer, floats};

/// Most pattern values in a trace: 32 MiB of them. Longer prompts are cut.
const MAX_PATTERN_VALUES: usize = 8 << 20;

/// Why a prompt was not traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("it is empty; type at least one character")]
    Empty,
    #[error(transparent)]
    Unknown(#[from] UnknownCharacter),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// Longest prompt, in tokens, whose patterns are traced whole with `trainer`'s model.
pub fn longest_prompt(trainer: &Trainer) -> usize {
    let model = &trainer.config.model;
    let per_head = MAX_PATTERN_VALUES / (model.n_layers * model.n_heads).max(1);
    per_head.isqrt().clamp(1, model.context)
}

/// The logits of a traced prompt, from which what is expected is told at any temperature.
#[derive(Clone, Debug)]
pub struct Logits {
    ids: Vec<u32>,
    /// `[seq, vocab]`
    values: Vec<f32>,
    /// What each token costs the best of predictors, if that is known.
    floors: Vec<Option<f64>>,
}

/// Traces the first [`longest_prompt`] tokens of `prompt`, reading everything back at once; with the
/// weights of another step, if they are given: `[layout.len()]`.
///
/// # Errors
/// If the prompt is empty or has characters that the model does not know, or the device failed.
pub async fn trace(
    trainer: &Trainer,
    prompt: &str,
    earlier: Option<(usize, Vec<f32>)>,
) -> Result<(Trace, Logits), TraceError> {
    let tokenizer = &trainer.tokenizer;
    let ids = tokenizer.cut(prompt)?;
    if ids.is_empty() {
        return Err(TraceError::Empty);
    }
    let mut ids = tokenizer.after_memory(&ids);
    let prompt_len = ids.len();
    ids.truncate(longest_prompt(trainer));
    let device = trainer.parameters.device();
    let (step, model) = match earlier {
        Some((step, flat)) => (step, trainer.model_of(&to_device(flat, &device))),
        None => (trainer.step, trainer.model()),
    };
    let (logits, patterns) = model.forward(to_tensor(&ids, &device));
    let read =
        patterns.iter().fold(Transaction::default(), |all, pattern| all.register(pattern.source()));
    let mut read = read.register(logits).execute_async().await?;
    let values = read.pop().map(floats).unwrap_or_default();
    let memory = tokenizer.memory_tokens().min(ids.len());
    let floors = match tokenizer.is_alphabet() {
        true => surprisals(&trainer.task, &tokenizer.decode(&ids[memory..])),
        false => vec![None; ids.len()],
    };
    let floors = [vec![None; memory], floors].concat();
    let trace = Trace {
        step,
        against: None,
        tokens: ids.iter().filter_map(|id| tokenizer.token(*id)).map(String::from).collect(),
        prompt_len,
        n_layers: trainer.config.model.n_layers,
        n_heads: trainer.config.model.n_heads,
        patterns: patterns.iter().zip(read).flat_map(|(p, read)| p.read(&floats(read))).collect(),
    };
    Ok((trace, Logits { ids, values, floors }))
}

impl Logits {
    /// What the model of `trainer` expects, as `options` say to draw.
    pub fn expected(&self, trainer: &Trainer, options: &SampleOptions) -> Expected {
        let SampleOptions { temperature, top_k, seed, .. } = *options;
        let tokenizer = &trainer.tokenizer;
        let token = |id: usize| tokenizer.token(id as u32).unwrap_or("�").to_owned();
        let mut expected = Expected::default();
        for (place, row) in self.values.chunks(tokenizer.vocab_size().max(1)).enumerate() {
            let chances = chances(&row[..tokenizer.text_size()], temperature, top_k);
            let entropy: f64 =
                chances.iter().map(|(_, p)| -p * p.max(f64::MIN_POSITIVE).ln()).sum();
            expected.next.push(alternatives(row, &chances, tokenizer));
            expected.entropies.push(entropy.abs() as f32); // not −0
            let mut rng = record_rng(seed, place as u64);
            expected.drawn.push(token(draw(&chances, &mut rng)));
            if let Some(next) = self.ids.get(place + 1) {
                let floor = self.floors.get(place + 1).copied().flatten();
                let loss = surprisal(row, *next as usize);
                expected.costs.push(match place < tokenizer.memory_tokens() {
                    true => Cost { loss: 0.0, floor: Some(0.0) },
                    false => Cost { loss, floor: floor.map(|floor| floor as f32) },
                });
            }
        }
        expected
    }
}
