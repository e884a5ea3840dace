//! Traces one forward pass over a prompt.

use burn::tensor::ExecutionError;

use crate::base::random::stream_rng;
use crate::config::ModelConfig;
use crate::generate::{alternatives, draw, entropy, probabilities, read_back, surprisal};
use crate::host::HostModel;
use crate::learn::Trainer;
use crate::protocol::{Cost, Expected, SampleOptions, Trace};
use crate::task::{Task, surprisals};
use crate::tokenizer::{TokenizeError, Tokenizer};

/// Most pattern values in a trace: 32 MiB of them. Longer prompts are cut.
const MAX_PATTERN_VALUES: usize = 8 << 20;

/// The reason that a prompt was not traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error(transparent)]
    Unknown(#[from] TokenizeError),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// Longest prompt, in tokens, whose patterns are traced whole.
pub fn longest_prompt(model: &ModelConfig) -> usize {
    let per_head = MAX_PATTERN_VALUES / (model.n_layers * model.n_heads).max(1);
    per_head.isqrt().clamp(1, model.context)
}

/// The logits of a traced prompt, which give its expectations at any temperature.
#[derive(Clone, Debug)]
pub struct Logits {
    ids: Vec<u32>,
    /// `[seq, vocab]`
    values: Vec<f32>,
    /// Logits of the model that this one is compared with, `[seq, vocab]`; empty without one.
    baseline: Vec<f32>,
    /// Costs of the tokens to the best of predictors, if they are known.
    floors: Vec<Option<f64>>,
}

/// Traces the first [`longest_prompt`] tokens of `prompt`, reading everything back at once.
///
/// # Errors
/// If the prompt is empty or has characters that the model does not know, or the device failed.
pub async fn trace(trainer: &Trainer, prompt: &str) -> Result<(Trace, Logits), TraceError> {
    let ids = trainer.tokenizer.encode(prompt)?;
    let host = read_back(trainer.model()).await?;
    let Trainer { tokenizer, task, step, .. } = trainer;
    let traced = Traced { model: &trainer.config.model, tokenizer, task, step: *step };
    Ok(traced.record(&host, ids))
}

/// The model that a trace is of.
pub struct Traced<'a> {
    pub model: &'a ModelConfig,
    pub tokenizer: &'a Tokenizer,
    pub task: &'a Task,
    pub step: usize,
}

impl Traced<'_> {
    /// Traces the first [`longest_prompt`] of a prompt's tokens.
    pub fn record(&self, host: &HostModel, mut ids: Vec<u32>) -> (Trace, Logits) {
        let Self { model, tokenizer, task, step } = *self;
        let prompt_len = ids.len();
        ids.truncate(longest_prompt(model));
        let cache = host.record(&ids, &[]);
        let memory = tokenizer.memory_tokens().min(ids.len());
        let symbols = ids[memory..].iter().filter_map(|id| tokenizer.token(*id));
        let floors = surprisals(task, symbols);
        let floors = [vec![None; memory], floors].concat();
        let trace = Trace {
            step,
            against: None,
            tokens: ids.iter().filter_map(|id| tokenizer.token(*id)).map(String::from).collect(),
            prompt_len,
            n_layers: model.n_layers,
            n_heads: model.n_heads,
            patterns: cache.layers.iter().flat_map(|layer| layer.pattern.iter().copied()).collect(),
        };
        (trace, Logits { ids, values: cache.logits, baseline: Vec::new(), floors })
    }
}

impl Logits {
    /// These logits beside those of a model of the same tokens, `[seq, vocab]` too.
    pub fn compared_with(self, baseline: Logits) -> Self {
        Self { baseline: baseline.values, ..self }
    }

    /// Expectations of the model of `trainer`, drawn as `options` say.
    pub fn expected(&self, trainer: &Trainer, options: &SampleOptions) -> Expected {
        self.expected_by(&trainer.tokenizer, options)
    }

    /// Expectations of the model with this tokenizer, drawn as `options` say.
    pub fn expected_by(&self, tokenizer: &Tokenizer, options: &SampleOptions) -> Expected {
        let SampleOptions { temperature, top_k, seed, .. } = *options;
        let token = |id: usize| tokenizer.token(id as u32).unwrap_or("�").to_owned();
        let mut expected = Expected::default();
        for (index, row) in self.values.chunks(tokenizer.vocab_size().max(1)).enumerate() {
            let probabilities = probabilities(&row[..tokenizer.text_size()], temperature, top_k);
            let baseline = self.baseline.chunks(row.len()).nth(index);
            expected.next.push(alternatives(row, baseline, &probabilities, tokenizer));
            expected.entropies.push(entropy(row).abs() as f32); // not −0
            let mut rng = stream_rng(seed, index as u64);
            expected.drawn.push(token(draw(&probabilities, &mut rng)));
            if let Some(next) = self.ids.get(index + 1) {
                let floor = self.floors.get(index + 1).copied().flatten();
                let loss = surprisal(row, *next as usize);
                expected.costs.push(match index < tokenizer.memory_tokens() {
                    true => Cost { loss: 0.0, floor: Some(0.0) },
                    false => Cost { loss, floor: floor.map(|floor| floor as f32) },
                });
            }
        }
        expected
    }
}
