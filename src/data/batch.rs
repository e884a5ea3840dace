//! Batches: records as token tensors with loss weights, or vectors with the values to produce.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::config::NoiseConfig;
use super::{Inputs, Targets, noise};
use crate::run::{Field, Record};
use crate::task::{Split, Task, in_tokens};
use crate::base::random::stream_rng;
use crate::tokenizer::Tokenizer;

/// Rows of inputs, with targets and loss weights.
#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: Inputs,
    /// Target of each input: of a token, the one after it.
    pub targets: Targets,
    /// `[batch, seq]`: 1, or 0 at padding and at tokens without a target.
    pub weights: Tensor<2>,
    /// `[batch, seq]`: true at tokens hidden from all later ones; `None` if there are none.
    pub forgotten: Option<Tensor<2, Bool>>,
    /// Number of tokens with weight 1.
    pub counted: usize,
    /// Field of each target, row by row; `None` where the weight is 0.
    pub fields: Vec<Option<Field>>,
    /// Each token and the one after it, row by row; none of vectors.
    pub ids: Vec<(u32, u32)>,
}

/// A tokenized record.
#[derive(Clone, Debug)]
pub struct Row {
    pub ids: Vec<u32>,
    /// One field per id.
    pub fields: Vec<Field>,
    /// Number of given ids at the beginning, which are not predicted.
    pub given: usize,
}

impl Row {
    /// Row of the memory tokens and the beginning of `record`, at most `limit` tokens in all.
    ///
    /// # Panics
    /// If `tokenizer` has no tokens for the record's symbols: see [`Task::for_model`].
    pub fn new(record: &Record, tokenizer: &Tokenizer, limit: usize) -> Self {
        let limit = limit.saturating_sub(tokenizer.memory_tokens());
        let record = in_tokens(record, tokenizer);
        let id = |symbol| tokenizer.id(symbol).expect("a task's symbols are its tokens");
        let ids: Vec<u32> = match record.ids.is_empty() {
            true => record.symbols().take(limit).map(id).collect(),
            false => record.ids.iter().take(limit).copied().collect(),
        };
        let fields = record.fields.iter().take(limit).copied();
        Self::after_memory(&ids, fields, record.given, tokenizer)
    }

    /// Row of the memory tokens and a piece of a text. All tokens of the piece but the first are predicted.
    pub fn of_text(ids: &[u32], tokenizer: &Tokenizer) -> Self {
        Self::after_memory(ids, ids.iter().map(|_| Field::Text), 1, tokenizer)
    }

    fn after_memory(
        ids: &[u32],
        fields: impl Iterator<Item = Field>,
        given: usize,
        tokenizer: &Tokenizer,
    ) -> Self {
        let memory = tokenizer.memory_tokens();
        let fields = std::iter::repeat_n(Field::Memory, memory).chain(fields).collect();
        Self { ids: tokenizer.after_memory(ids), fields, given: memory + given }
    }
}

/// An input token in training.
struct Token {
    id: u32,
    /// Id and field to predict; `None` without a prediction.
    target: Option<(u32, Field)>,
    is_forgotten: bool,
}

impl Row {
    /// Tokens, each with the next as its target unless that is given. The last id is only a target.
    fn tokens(&self) -> Vec<Token> {
        let token = |(place, id): (usize, &u32)| Token {
            id: *id,
            target: self.target(place + 1),
            is_forgotten: false,
        };
        self.ids[..self.ids.len().saturating_sub(1)].iter().enumerate().map(token).collect()
    }

    /// Id and field to predict at `place`; `None` if they are given.
    fn target(&self, place: usize) -> Option<(u32, Field)> {
        (place >= self.given).then(|| (self.ids[place], self.fields[place]))
    }

    /// Tokens of this row read through `noise`, which leaves memory tokens unchanged.
    fn noisy_tokens(
        &self,
        noise: &NoiseConfig,
        tokenizer: &Tokenizer,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Token> {
        let (memory, clean) = self.ids.split_at(tokenizer.memory_tokens());
        let mut readings = noise::read(noise, clean, tokenizer, rng);
        // Tokens after the last prediction are not read.
        let end = readings.iter().rposition(|reading| reading.predicts.is_some());
        readings.truncate(end.map_or(0, |end| end + 1));
        let token = |reading: noise::Reading| Token {
            id: reading.id,
            target: reading.predicts.and_then(|place| self.target(memory.len() + place)),
            is_forgotten: reading.is_forgotten,
        };
        let remembered =
            memory.iter().map(|id| Token { id: *id, target: None, is_forgotten: false });
        remembered.chain(readings.into_iter().map(token)).collect()
    }
}

/// Rows are padded to a multiple of this many tokens, or to a power of two if shorter, so that few different
/// shapes occur.
const SEQ_MULTIPLE: usize = 16;

impl Batch {
    /// Draws micro-batch `stream` of a run: `rows` records of `split`, read through `noise`. Each row has the
    /// memory tokens and one record from its first character, at most `context + 1` tokens.
    pub fn draw(
        task: &Task,
        tokenizer: &Tokenizer,
        split: Split,
        noise: &NoiseConfig,
        (rows, context): (usize, usize),
        (seed, stream): (u64, u64),
        device: &Device,
    ) -> Self {
        let mut rng = stream_rng(seed, stream);
        let mut noise_rng = noise::noise_rng(seed, stream);
        let window = (context + 1).saturating_sub(tokenizer.memory_tokens());
        let rows: Vec<_> = task
            .draw_batch(split, window, rows, &mut rng)
            .iter()
            .map(|record| Row::new(record, tokenizer, context + 1))
            .map(|row| match *noise == NoiseConfig::default() {
                true => row.tokens(),
                false => row.noisy_tokens(noise, tokenizer, &mut noise_rng),
            })
            .collect();
        Self::of_tokens(&rows, context, device)
    }

    /// Batch of rows, padded to the longest.
    pub fn new(rows: &[Row], context: usize, device: &Device) -> Self {
        let rows: Vec<_> = rows.iter().map(Row::tokens).collect();
        Self::of_tokens(&rows, context, device)
    }

    /// Batch of vectors with the outputs to produce, all of which count.
    ///
    /// # Shapes
    /// `inputs`: `[batch, seq, d_model]`; `targets`: `[batch, seq, vocab]`
    pub fn of_vectors(inputs: Tensor<3>, targets: Tensor<3>) -> Self {
        let [batch, seq, _] = inputs.dims();
        Self {
            weights: Tensor::ones([batch, seq], &inputs.device()),
            inputs: Inputs::Vectors(inputs),
            targets: Targets::Values(targets),
            forgotten: None,
            counted: batch * seq,
            fields: vec![None; batch * seq],
            ids: Vec::new(),
        }
    }

    /// Bytes that the targets with a weight stand for.
    pub fn target_bytes(&self, tokenizer: &Tokenizer) -> usize {
        let targets = self.ids.iter().zip(&self.fields).filter(|(_, field)| field.is_some());
        targets.map(|((_, target), _)| tokenizer.byte_len(*target)).sum()
    }

    fn of_tokens(rows: &[Vec<Token>], context: usize, device: &Device) -> Self {
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let multiple = SEQ_MULTIPLE.min(longest.next_power_of_two());
        let seq = longest.next_multiple_of(multiple).min(context).max(1);
        let mut tokens = vec![0i32; rows.len() * seq];
        let mut targets = tokens.clone();
        let mut weights = vec![0.0f32; tokens.len()];
        let mut fields = vec![None; tokens.len()];
        let mut ids = vec![(0, 0); tokens.len()];
        let mut forgotten = vec![false; tokens.len()];
        for (index, row) in rows.iter().enumerate() {
            for (place, token) in row.iter().take(seq).enumerate() {
                let at = index * seq + place;
                (tokens[at], forgotten[at]) = (token.id as i32, token.is_forgotten);
                if let Some((target, field)) = token.target {
                    (targets[at], weights[at]) = (target as i32, 1.0);
                    fields[at] = Some(field);
                }
                ids[at] = (token.id, targets[at] as u32);
            }
        }
        let counted = weights.iter().filter(|w| **w > 0.0).count();
        let shape = [rows.len(), seq];
        let is_forgetful = forgotten.contains(&true);
        Self {
            inputs: Inputs::Tokens(Tensor::from_data(TensorData::new(tokens, shape), device)),
            targets: Targets::Classes(Tensor::from_data(TensorData::new(targets, shape), device)),
            weights: Tensor::from_data(TensorData::new(weights, shape), device),
            forgotten: is_forgetful
                .then(|| Tensor::from_data(TensorData::new(forgotten, shape), device)),
            counted,
            fields,
            ids,
        }
    }
}
