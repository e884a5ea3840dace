//! Records to token tensors and loss weights.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::task::{Split, Task, record_rng};
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
        let rows: Vec<Vec<u32>> = (0..rows)
            .map(|_| {
                let record = task.draw(split, context + 1, &mut rng);
                let text: String = record.text.chars().take(context + 1).collect();
                tokenizer.encode(&text).expect("a task's alphabet covers its records")
            })
            .collect();
        Self::new(&rows, context, device)
    }

    /// Rows of tokens, padded to the longest.
    pub fn new(rows: &[Vec<u32>], context: usize, device: &Device) -> Self {
        let longest = rows.iter().map(|row| row.len().saturating_sub(1)).max().unwrap_or(0);
        let seq = longest.next_multiple_of(SEQ_MULTIPLE).min(context).max(1);
        let mut tokens = vec![0i32; rows.len() * seq];
        let mut targets = tokens.clone();
        let mut weights = vec![0.0f32; tokens.len()];
        for (row, ids) in rows.iter().enumerate() {
            for (place, pair) in ids.windows(2).take(seq).enumerate() {
                let at = row * seq + place;
                (tokens[at], targets[at], weights[at]) = (pair[0] as i32, pair[1] as i32, 1.0);
            }
        }
        let counted = weights.iter().filter(|w| **w > 0.0).count();
        let shape = [rows.len(), seq];
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, shape), device),
            targets: Tensor::from_data(TensorData::new(targets, shape), device),
            weights: Tensor::from_data(TensorData::new(weights, shape), device),
            counted,
        }
    }
}

/// Weighted mean over the batch of −ln p(target), in nats per character.
///
/// # Shapes
/// `logits`: `[batch, seq, vocab]`; `targets` and `weights`: `[batch, seq]`; the result: `[1]`
pub fn cross_entropy(logits: Tensor<3>, targets: Tensor<2, Int>, weights: Tensor<2>) -> Tensor<1> {
    let log_p = burn::tensor::activation::log_softmax(logits, 2);
    let of_target = log_p.gather(2, targets.unsqueeze_dim::<3>(2)).squeeze_dim::<2>(2); // [batch, seq]
    let total = weights.clone().sum();
    (of_target * weights).sum().neg() / total
}
