//! Scores of heads on repeated random tokens, by what they look at: the token before, an earlier copy of the same
//! token, or what followed that copy, as an induction head does.
//!
//! Source: Olsson et al. 2022, "In-context Learning and Induction Heads"; the masks and scores are
//! those of TransformerLens' `head_detector.py`, the stripes those of its demos,
//! `pattern.diagonal(offset)`.

use super::{AnalysisError, Head, View};
use crate::host::{ActivationCache, HostModel};
pub use crate::report::forward::{HeadScores, Match};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// `block` random tokens, twice. They are distinct as long as the vocabulary lasts, so that each
/// has one earlier copy only.
pub fn repeated_random(vocab_size: usize, block: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut left: Vec<u32> = Vec::new();
    let mut ids = Vec::with_capacity(2 * block);
    while ids.len() < block && vocab_size > 0 {
        if left.is_empty() {
            left.extend(0..vocab_size as u32);
        }
        ids.push(left.swap_remove(rng.random_range(0..left.len() as u32) as usize));
    }
    ids.extend_from_within(..);
    ids
}

/// Every head's scores in one recording that ends in `ids`, the same `block` of tokens twice; what
/// is before them is not scored.
pub fn score_heads(cache: &ActivationCache, ids: &[u32], block: usize) -> Vec<HeadScores> {
    let seq = cache.seq;
    let before = seq - ids.len();
    let of_ids = |pattern: &[f32]| -> Vec<f32> {
        pattern.chunks(seq.max(1)).skip(before).flat_map(|row| &row[before..]).copied().collect()
    };
    let of_layer = |(layer, patterns): (usize, &[f32])| -> Vec<HeadScores> {
        let heads = patterns.chunks((seq * seq).max(1)).enumerate();
        let score =
            |(head, pattern)| score_pattern(Head { layer, head }, &of_ids(pattern), ids, block);
        heads.map(score).collect()
    };
    let layers = cache.layers.iter().map(|layer| &layer.pattern[..]);
    layers.enumerate().flat_map(of_layer).collect()
}

/// The scores of one pattern.
///
/// # Shapes
/// `pattern`: `[ids.len(), ids.len()]`, query by key
pub fn score_pattern(head: Head, pattern: &[f32], ids: &[u32], block: usize) -> HeadScores {
    let same = |q: usize, k: usize| k < q && ids[k] == ids[q];
    let score = |back: usize, mask: &dyn Fn(usize, usize) -> bool| Match {
        stripe: stripe(pattern, ids.len(), back),
        ..against(pattern, ids.len(), mask)
    };
    HeadScores {
        head,
        previous_token: score(1, &|q, k| k + 1 == q),
        duplicate_token: score(block, &same),
        induction: score(block.saturating_sub(1), &|q, k| k > 0 && same(q, k - 1)),
    }
}

/// Mean of `pattern[q, q − back]` over all queries that have such a key.
fn stripe(pattern: &[f32], seq: usize, back: usize) -> f32 {
    let sum: f32 = (back..seq).map(|q| pattern[q * seq + q - back]).sum();
    sum / seq.saturating_sub(back).max(1) as f32
}

fn against(pattern: &[f32], seq: usize, mask: &dyn Fn(usize, usize) -> bool) -> Match {
    let (mut on_mask, mut total, mut apart) = (0.0, 0.0, 0.0);
    for (q, row) in pattern.chunks(seq.max(1)).enumerate() {
        for (k, weight) in row[..=q].iter().enumerate() {
            let wanted = if mask(q, k) { 1.0 } else { 0.0 };
            on_mask += wanted * weight;
            total += weight;
            apart += (weight - wanted).abs();
        }
    }
    let mul = if total > 0.0 { on_mask / total } else { 0.0 };
    Match { stripe: 0.0, mul, abs: 1.0 - apart / seq.max(1) as f32 }
}

/// Scores averaged over draws of random tokens, a forward pass at a time.
#[derive(Clone, Debug)]
pub struct Scoring {
    /// Stand in front, and are not scored.
    memory: Vec<u32>,
    /// Tokens that may be repeated, those with the first ids.
    vocab_size: usize,
    block: usize,
    separator: Option<u32>,
    seed: u64,
    draws: usize,
    done: usize,
    sums: Vec<HeadScores>,
}

impl Scoring {
    /// Over `draws` sequences of twice `block` tokens; draw `i` has the seed `seed + i`.
    ///
    /// # Errors
    /// If the context is shorter than two blocks, or a block than two tokens.
    pub fn new(view: &View, block: usize, draws: usize, seed: u64) -> Result<Self, AnalysisError> {
        if block < 2 {
            return Err(AnalysisError::TooFew { what: "a repeated block", min: 2, got: block });
        }
        view.check_length(block.saturating_mul(2))?;
        Ok(Self {
            memory: Vec::new(),
            vocab_size: view.vocab_size(),
            block,
            separator: None,
            seed,
            draws,
            done: 0,
            sums: Vec::new(),
        })
    }

    /// Puts memory tokens in front, the last ones of the vocabulary; they are not repeated.
    ///
    /// # Errors
    /// If the vocabulary has them not, or the context has no room for them.
    pub fn after(self, view: &View, memory: Vec<u32>) -> Result<Self, AnalysisError> {
        view.check_tokens(&memory)?;
        view.check_length(2 * self.block + memory.len())?;
        let vocab_size = self.vocab_size.saturating_sub(memory.len());
        Ok(Self { memory, vocab_size, ..self })
    }

    /// Puts a token between the blocks, as a model may have learnt to repeat only after it: what
    /// is repeated is then the block with `separator`.
    ///
    /// # Errors
    /// If the vocabulary has it not, or nothing else, or the context has no room for it.
    pub fn separated_by(self, view: &View, separator: u32) -> Result<Self, AnalysisError> {
        view.check_tokens(&[separator])?;
        if self.vocab_size < 2 {
            let what = "blocks with a separator";
            return Err(AnalysisError::TooFew { what, min: 2, got: self.vocab_size });
        }
        view.check_length(self.memory.len() + 2 * self.block + 1)?;
        Ok(Self { separator: Some(separator), ..self })
    }

    /// Scores one more draw; `false` if all are in. `plain` has the weights that the view had.
    pub fn next(&mut self, model: &HostModel) -> bool {
        if self.done == self.draws {
            return false;
        }
        let (ids, block) = self.draw();
        let read = [&self.memory[..], &ids].concat();
        let scores = score_heads(&model.record(&read, &[]), &ids, block);
        if self.sums.is_empty() {
            self.sums = scores;
        } else {
            self.sums.iter_mut().zip(&scores).for_each(|(sum, one)| sum.map(one, |a, b| a + b));
        }
        self.done += 1;
        true
    }

    /// The next draw, and the length of what it repeats.
    fn draw(&self) -> (Vec<u32>, usize) {
        let seed = self.seed.wrapping_add(self.done as u64);
        let Some(separator) = self.separator else {
            return (repeated_random(self.vocab_size, self.block, seed), self.block);
        };
        // All tokens but the separator.
        let mut ids = repeated_random(self.vocab_size.saturating_sub(1), self.block, seed);
        ids.iter_mut().filter(|id| **id >= separator).for_each(|id| *id += 1);
        ids.insert(self.block, separator);
        (ids, self.block + 1)
    }

    /// Draws scored so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The mean so far, layer by layer.
    pub fn scores(&self) -> Vec<HeadScores> {
        let mut scores = self.sums.clone();
        let count = self.done.max(1) as f32;
        scores.iter_mut().for_each(|score| score.map(&score.clone(), |sum, _| sum / count));
        scores
    }
}

impl HeadScores {
    /// Each number becomes `f` of it and that of `other`.
    fn map(&mut self, other: &Self, f: impl Fn(f32, f32) -> f32) {
        let map = |a: &mut Match, b: &Match| {
            *a =
                Match { stripe: f(a.stripe, b.stripe), mul: f(a.mul, b.mul), abs: f(a.abs, b.abs) };
        };
        map(&mut self.previous_token, &other.previous_token);
        map(&mut self.duplicate_token, &other.duplicate_token);
        map(&mut self.induction, &other.induction);
    }
}
