//! Records to token tensors and loss weights.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::task::{Field, Record, Split, Task, record_rng};
use crate::tokenizer::Tokenizer;

/// Rows of tokens, what follows each, and how much each counts.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, seq]`
    pub tokens: Tensor<2, Int>,
    /// `[batch, seq]`: the token after each.
    pub targets: Tensor<2, Int>,
    /// `[batch, seq]`: 1, or 0 where a row is padding.
    pub weights: Tensor<2>,
    /// Tokens that count.
    pub counted: usize,
    /// The field of each target, row by row; `None` where a row is padding.
    pub fields: Vec<Option<Field>>,
}

/// A record as a model sees it.
#[derive(Clone, Debug)]
pub struct Row {
    pub ids: Vec<u32>,
    /// One field per id.
    pub fields: Vec<Field>,
}

impl Row {
    /// At most the first `most` characters of `record`.
    ///
    /// # Panics
    /// If `tokenizer` is not that of the record's task.
    pub fn new(record: &Record, tokenizer: &Tokenizer, most: usize) -> Self {
        let text: String = record.text.chars().take(most).collect();
        let ids = tokenizer.encode(&text).expect("a task's alphabet covers its records");
        let fields = record.fields.iter().take(most).copied().collect();
        Self { ids, fields }
    }
}

/// Rows are padded to a multiple of this many tokens, so that few different shapes occur.
const SEQ_MULTIPLE: usize = 16;

impl Batch {
    /// Micro-batch `stream` of a run: `rows` records of `split`, each row one record from its
    /// first character, at most `context + 1` characters of it.
    pub fn draw(
        task: &Task,
        tokenizer: &Tokenizer,
        split: Split,
        (rows, context): (usize, usize),
        (seed, stream): (u64, u64),
        device: &Device,
    ) -> Self {
        let mut rng = record_rng(seed, stream);
        let rows: Vec<Row> = (0..rows)
            .map(|_| Row::new(&task.draw(split, context + 1, &mut rng), tokenizer, context + 1))
            .collect();
        Self::new(&rows, context, device)
    }

    /// Rows of tokens, padded to the longest.
    pub fn new(rows: &[Row], context: usize, device: &Device) -> Self {
        let longest = rows.iter().map(|row| row.ids.len().saturating_sub(1)).max().unwrap_or(0);
        let seq = longest.next_multiple_of(SEQ_MULTIPLE).min(context).max(1);
        let mut tokens = vec![0i32; rows.len() * seq];
        let mut targets = tokens.clone();
        let mut weights = vec![0.0f32; tokens.len()];
        let mut fields = vec![None; tokens.len()];
        for (index, row) in rows.iter().enumerate() {
            for (place, pair) in row.ids.windows(2).take(seq).enumerate() {
                let at = index * seq + place;
                (tokens[at], targets[at], weights[at]) = (pair[0] as i32, pair[1] as i32, 1.0);
                fields[at] = Some(row.fields[place + 1]);
            }
        }
        let counted = weights.iter().filter(|w| **w > 0.0).count();
        let shape = [rows.len(), seq];
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, shape), device),
            targets: Tensor::from_data(TensorData::new(targets, shape), device),
            weights: Tensor::from_data(TensorData::new(weights, shape), device),
            counted,
            fields,
        }
    }
}
