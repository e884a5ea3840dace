//! Attention by the type of the next character.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SegmentAttention, order};
use crate::run::Field;

/// Attention of each head to fields, by the type of the next character.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttentionByType {
    /// Training step of the model.
    pub step: usize,
    /// Number of records averaged.
    pub records: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// By type and then `layer · n_heads + head`: attention to each field, summed over queries.
    pub sums: BTreeMap<String, Vec<BTreeMap<Field, f64>>>,
    /// By head, `layer · n_heads + head`: the whole pattern.
    pub by_segment: SegmentAttention,
}

impl AttentionByType {
    /// Share of a head's attention to each field, by type. Shares of a type add up to 1.
    pub fn shares(&self, layer: usize, head: usize) -> Vec<(&str, BTreeMap<Field, f64>)> {
        let place = layer * self.n_heads + head;
        let types = self.sums.iter();
        types
            .filter_map(|(name, heads)| Some((name.as_str(), normalize(heads.get(place)?))))
            .collect()
    }

    /// Average pattern of a head: names of segments, and mean attention `[query segment, key segment]`; see
    /// [`SegmentAttention::mean`].
    pub fn pattern(&self, layer: usize, head: usize) -> (Vec<String>, Vec<f32>) {
        self.by_segment.mean(layer * self.n_heads + head)
    }

    /// Difference of a head's attention between types: the Jensen–Shannon divergence of their shares, with equal
    /// weights, in bits (Lin 1991). 0 if the head attends alike for all types.
    pub fn divergence(&self, layer: usize, head: usize) -> f64 {
        let shares = self.shares(layer, head);
        let mut mean = BTreeMap::new();
        for (field, share) in shares.iter().flat_map(|(_, shares)| shares) {
            *mean.entry(*field).or_default() += share / shares.len() as f64;
        }
        let within: f64 = shares.iter().map(|(_, shares)| entropy_bits(shares)).sum();
        (entropy_bits(&mean) - within / shares.len().max(1) as f64).max(0.0)
    }

    /// All heads with their divergence, largest first.
    pub fn ranking(&self) -> Vec<(usize, usize, f64)> {
        let heads = (0..self.n_layers).flat_map(|l| (0..self.n_heads).map(move |h| (l, h)));
        let heads: Vec<_> = heads.map(|(l, h)| (l, h, self.divergence(l, h))).collect();
        let by_bits = |a: usize, b: usize| heads[b].2.total_cmp(&heads[a].2);
        order(heads.len(), &by_bits).into_iter().map(|place| heads[place]).collect()
    }
}

fn normalize(sums: &BTreeMap<Field, f64>) -> BTreeMap<Field, f64> {
    let total: f64 = sums.values().sum();
    let mut shares = sums.clone();
    shares.values_mut().for_each(|share| *share /= total);
    shares
}

fn entropy_bits(shares: &BTreeMap<Field, f64>) -> f64 {
    shares.values().filter(|share| **share > 0.0).map(|share| -share * share.log2()).sum()
}
