//! Canonical keys: a random key for each token.

use std::collections::HashSet;

use super::distance::{Cost, Metric};
use super::number::{draw, minus};
use crate::base::random::stream_rng;
use crate::config::CodecConfig;

/// The stream of random numbers that keys of tokens are drawn from.
const STREAM: u64 = u64::MAX / 2;

/// Keys of tokens, and the distance that they are compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    /// Stream of random numbers that the keys were drawn from. Each dictionary has its own.
    stream: u64,
    /// Numbers a key.
    width: usize,
    /// `[token, number]`.
    numbers: Vec<u32>,
    pub metric: Metric,
}

impl Keys {
    /// Draws `count` distinct keys.
    ///
    /// # Errors
    /// If the digits of a key allow fewer than twice as many keys.
    pub fn draw(count: usize, config: &CodecConfig, seed: u64) -> Result<Self, String> {
        Self::draw_further(0, count, config, seed)
    }

    /// As [`Self::draw`], for dictionary `number` beside that of the tokens, which is 0.
    ///
    /// # Errors
    /// If the digits of a key allow fewer than twice as many keys.
    pub fn draw_further(
        number: u64,
        count: usize,
        config: &CodecConfig,
        seed: u64,
    ) -> Result<Self, String> {
        let digits = (config.digits * config.numbers).min(18) as u32;
        if 10_u64.pow(digits) < 2 * count as u64 {
            return Err(format!(
                "{count} tokens need keys of their own, and Key digits (codec.digits) {} with {} Numbers a key \
                 (codec.numbers) leave too few; set either higher",
                config.digits, config.numbers
            ));
        }
        let stream = STREAM + number;
        let mut rng = stream_rng(seed, stream);
        let (mut drawn, mut numbers) = (HashSet::new(), Vec::new());
        while drawn.len() < count {
            let key: Vec<u32> =
                (0..config.numbers).map(|_| draw(config.digits, &mut rng)).collect();
            if drawn.insert(key.clone()) {
                numbers.extend(key);
            }
        }
        Ok(Self { stream, width: config.numbers, numbers, metric: Metric::new(config) })
    }

    /// Other keys of the same shape; `None` if two tokens would have the same.
    pub fn with_numbers(&self, numbers: Vec<u32>) -> Option<Self> {
        let distinct: HashSet<&[u32]> = numbers.chunks_exact(self.width).collect();
        let are_distinct = distinct.len() == self.len();
        are_distinct.then(|| Self { numbers, metric: self.metric.clone(), ..*self })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.numbers.len() / self.width
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Stream of random numbers that the keys were drawn from. Each dictionary has its own.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// Numbers a key.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Key of `token`.
    pub fn of(&self, token: u32) -> &[u32] {
        &self.numbers[token as usize * self.width..][..self.width]
    }

    /// All numbers, `[token, number]`.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// The encoder embedding: the key of `token` minus `noise`, modulo 1.
    pub fn encode(&self, token: u32, noise: &[u32]) -> Vec<u32> {
        self.of(token).iter().zip(noise).map(|(key, noise)| minus(*key, *noise)).collect()
    }

    /// The token whose key is nearest to `embedding`, with its distance: the first of those that are equally near.
    pub fn nearest(&self, embedding: &[u32]) -> (u32, Cost) {
        let nearest = self.metric.prepare(embedding).nearest(&self.numbers);
        nearest.map_or((0, 0), |(token, cost)| (token as u32, cost))
    }

    /// The token that `token` becomes by `noise`.
    pub fn map(&self, token: u32, noise: &[u32]) -> u32 {
        self.nearest(&self.encode(token, noise)).0
    }
}
