//! Batches: records as token tensors with loss weights, or vectors with the values to produce.

use std::ops::Range;

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::NoiseConfig;
use super::{FewPredictions, Inputs, Targets, noise};
use crate::run::{Field, Record};
use crate::task::{Split, Task, in_tokens};
use crate::base::random::stream_rng;
use crate::kernel::rows::Places;
use crate::tokenizer::Tokenizer;

/// Rows of inputs, with targets and loss weights.
#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: Inputs,
    /// Target of each input: of a token, the one after it, unless its record says another.
    pub targets: Targets,
    /// `[batch, seq]`: 1, or 0 at padding and at tokens without a target.
    pub weights: Tensor<2>,
    /// `[batch, seq]`: true at tokens hidden from all later ones; `None` if there are none.
    pub forgotten: Option<Tensor<2, Bool>>,
    /// Number of tokens with weight 1.
    pub counted: usize,
    /// Number of tokens with weight 1 in the batch whose rows these are, by which its loss is a mean.
    pub whole: usize,
    /// Field of each target, row by row; `None` where the weight is 0.
    pub fields: Vec<Option<Field>>,
    /// Each token and its target, row by row; none of vectors.
    pub ids: Vec<(u32, u32)>,
    /// Its predictions alone, if these are few.
    pub few: Option<FewPredictions>,
}

/// The tokens of a batch, row by row, before they are on a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchTokens {
    /// Tokens a row.
    pub seq: usize,
    /// Each token and its target.
    pub ids: Vec<(u32, u32)>,
    /// Field of each target; `None` where nothing is predicted.
    pub fields: Vec<Option<Field>>,
    /// True at tokens hidden from all later ones.
    pub forgotten: Vec<bool>,
    /// Number of predictions in the batch whose rows these are.
    pub whole: usize,
}

impl BatchTokens {
    pub fn on(self, device: &Device) -> Batch {
        let Self { seq, ids, fields, forgotten, whole } = self;
        let shape = [ids.len() / seq.max(1), seq];
        let ints = |of: fn(&(u32, u32)) -> u32| {
            let ints: Vec<i32> = ids.iter().map(|pair| of(pair) as i32).collect();
            Tensor::from_data(TensorData::new(ints, shape), device)
        };
        let weights: Vec<f32> = fields.iter().map(|field| f32::from(field.is_some())).collect();
        let is_forgetful = forgotten.contains(&true);
        Batch {
            few: FewPredictions::new(&ids, &fields, device),
            inputs: Inputs::Tokens(ints(|(token, _)| *token)),
            targets: Targets::Classes(ints(|(_, target)| *target)),
            weights: Tensor::from_data(TensorData::new(weights, shape), device),
            forgotten: is_forgetful
                .then(|| Tensor::from_data(TensorData::new(forgotten, shape), device)),
            counted: fields.iter().flatten().count(),
            whole,
            fields,
            ids,
        }
    }
}

/// A tokenized record.
#[derive(Clone, Debug)]
pub struct Row {
    pub ids: Vec<u32>,
    /// One field per id.
    pub fields: Vec<Field>,
    /// Number of given ids at the beginning, which are not predicted.
    pub given: usize,
    /// Targets in place of the next ids: after the id at a place, the one to predict, as an answer, and nothing
    /// elsewhere. The places rise. `None` where each id that is not given is the target of the one before.
    pub targets: Option<Vec<(usize, u32)>>,
}

impl Row {
    /// Row of the memory tokens and the beginning of `record`, at most `limit` tokens in all.
    ///
    /// # Panics
    /// If `tokenizer` has no tokens for the record's symbols: see [`Task::for_model`].
    pub fn new(record: &Record, tokenizer: &Tokenizer, limit: usize) -> Self {
        let limit = limit.saturating_sub(tokenizer.memory_tokens());
        let record = in_tokens(record, tokenizer);
        let id = |symbol: &str| tokenizer.id(symbol).expect("a task's symbols are its tokens");
        let ids: Vec<u32> = match record.ids.is_empty() {
            true => record.symbols().take(limit).map(id).collect(),
            false => record.ids.iter().take(limit).copied().collect(),
        };
        let fields = record.fields.iter().take(limit).copied();
        let memory = tokenizer.memory_tokens();
        let targets = record.targets.as_ref().map(|targets| {
            let kept = targets.iter().filter(|(place, _)| *place < limit);
            kept.map(|(place, symbol)| (memory + place, id(symbol))).collect()
        });
        Self { targets, ..Self::after_memory(&ids, fields, record.given, tokenizer) }
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
        Self { ids: tokenizer.after_memory(ids), fields, given: memory + given, targets: None }
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
    /// Tokens, each with its target. The last id is read by none.
    fn tokens(&self) -> Vec<Token> {
        let token = |(place, id): (usize, &u32)| Token {
            id: *id,
            target: self.target(place + 1),
            is_forgotten: false,
        };
        self.ids[..self.ids.len().saturating_sub(1)].iter().enumerate().map(token).collect()
    }

    /// Id and field to predict before `place` is read; `None` if nothing is.
    fn target(&self, place: usize) -> Option<(u32, Field)> {
        match &self.targets {
            None => (place >= self.given).then(|| (self.ids[place], self.fields[place])),
            Some(targets) => {
                let found = targets.binary_search_by_key(&place, |(before, _)| before + 1).ok()?;
                Some((targets[found].1, Field::Answer))
            }
        }
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
            whole: batch * seq,
            fields: vec![None; batch * seq],
            ids: Vec::new(),
            few: None,
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
        let count = rows.len() * seq;
        let (mut ids, mut fields) = (vec![(0, 0); count], vec![None; count]);
        let mut forgotten = vec![false; count];
        for (index, row) in rows.iter().enumerate() {
            for (place, token) in row.iter().take(seq).enumerate() {
                let at = index * seq + place;
                let target = token.target.map_or(0, |(target, _)| target);
                ids[at] = (token.id, target);
                fields[at] = token.target.map(|(_, field)| field);
                forgotten[at] = token.is_forgotten;
            }
        }
        let whole = fields.iter().flatten().count();
        BatchTokens { seq, ids, fields, forgotten, whole }.on(device)
    }

    /// Places of what is unembedded in training: those of its predictions, if they are few, and else, `None`, all.
    pub fn places(&self) -> Option<Places> {
        self.few.as_ref().map(|few| few.places.clone())
    }

    /// Targets, weights and fields of what is unembedded in training: `[batch, seq]`, or `[1, count]` if its predictions are few.
    pub fn predictions(&self) -> (Targets, Tensor<2>, &[Option<Field>]) {
        match &self.few {
            Some(few) => (few.targets.clone(), few.weights.clone(), &few.fields),
            None => (self.targets.clone(), self.weights.clone(), &self.fields),
        }
    }

    /// True if rows of a batch with more predictions.
    #[cfg(feature = "cli")]
    pub fn is_part(&self) -> bool {
        self.counted != self.whole
    }

    /// Its tokens; `None` of vectors.
    pub fn tokens(&self) -> Option<BatchTokens> {
        let [_, seq] = self.inputs.dims();
        let forgotten = match &self.forgotten {
            Some(forgotten) => forgotten.clone().into_data().iter::<bool>().collect(),
            None => vec![false; self.ids.len()],
        };
        let (ids, fields) = (self.ids.clone(), self.fields.clone());
        let tokens = BatchTokens { seq, ids, fields, forgotten, whole: self.whole };
        matches!(self.inputs, Inputs::Tokens(_)).then_some(tokens)
    }

    /// Its rows in `count` groups of the same size but for one row, or each row alone if they are fewer; each with the
    /// number of its first row.
    pub fn shards(&self, count: usize) -> impl Iterator<Item = (usize, Self)> + '_ {
        let [rows, _] = self.inputs.dims();
        let count = count.min(rows).max(1);
        (0..count).map(move |shard| {
            let [first, end] = [shard, shard + 1].map(|shard| shard * rows / count);
            (first, self.rows(first..end))
        })
    }

    fn rows(&self, rows: Range<usize>) -> Self {
        let [_, seq] = self.inputs.dims();
        let tokens = rows.start * seq..rows.end * seq;
        let fields = self.fields[tokens.clone()].to_vec();
        let counted = match &self.inputs {
            Inputs::Tokens(_) => fields.iter().flatten().count(),
            Inputs::Vectors(_) => tokens.len(),
        };
        let ids = self.ids.get(tokens).unwrap_or_default().to_vec();
        let few = match &self.inputs {
            Inputs::Tokens(tokens) => FewPredictions::new(&ids, &fields, &tokens.device()),
            Inputs::Vectors(_) => None,
        };
        Self {
            inputs: self.inputs.rows(rows.clone()),
            targets: self.targets.rows(rows.clone()),
            weights: self.weights.clone().slice(rows.clone()),
            forgotten: self.forgotten.clone().map(|forgotten| forgotten.slice(rows)),
            counted,
            whole: self.whole,
            fields,
            ids,
            few,
        }
    }
}
