//! Low-rank adapters of a model.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Moments;
use crate::arch::{Layout, Parameter};
use crate::config::LoraConfig;

/// Most adapters that a model holds.
pub const MAX_ADAPTERS: usize = 64;
/// Largest rank of an adapter.
pub const MAX_RANK: usize = 256;

/// Changes `alpha / rank · A B` of some matrices of a model (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>). Those
/// of several adapters add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adapter {
    pub rank: usize,
    pub alpha: f64,
    /// False if the model is as without it.
    pub is_on: bool,
    /// Parameters that it changes.
    pub targets: Vec<String>,
    /// `A`, `[in, rank]`, and then `B`, `[rank, out]`, of each target.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// `None` if they were left out.
    #[serde(skip)]
    pub moments: Option<Moments>,
}

/// An adapter's change of one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// Place of the matrix in the flat vector of the model, and its shape `[in, out]`.
    pub target: Range<usize>,
    pub shape: [usize; 2],
    /// Places of `A` and `B` in the adapter's values.
    pub a: Range<usize>,
    pub b: Range<usize>,
}

impl Adapter {
    /// An adapter whose values are still to be set.
    pub fn new(config: &LoraConfig, layout: &Layout) -> Self {
        let is_target = |parameter: &&Parameter| {
            kind(parameter).is_some_and(|kind| config.kinds().any(|of| of == kind))
        };
        let targets = layout.parameters().iter().filter(is_target);
        Self {
            rank: config.rank,
            alpha: config.alpha,
            is_on: true,
            targets: targets.map(|parameter| parameter.name().to_owned()).collect(),
            values: Vec::new(),
            moments: None,
        }
    }

    /// True if adapters can change a parameter: a matrix of attention or of an MLP.
    pub fn can_change(parameter: &Parameter) -> bool {
        kind(parameter).is_some()
    }

    /// Factor of the product of its matrices.
    pub fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// Its changes, in the order of the targets.
    ///
    /// # Errors
    /// The first target that is no matrix of a layer of the model.
    pub fn parts(&self, layout: &Layout) -> Result<Vec<LowRank>, String> {
        let mut start = 0;
        let part = |name: &String| {
            let parameter = layout.find(name).filter(|parameter| Self::can_change(parameter));
            let parameter = parameter.ok_or_else(|| name.clone())?;
            let shape = parameter.shape();
            let [rows, columns] = [shape[0], shape[1]];
            let (a, end) = (start + rows * self.rank, start + (rows + columns) * self.rank);
            let part = LowRank {
                target: parameter.range.clone(),
                shape: [rows, columns],
                a: start..a,
                b: a..end,
            };
            start = end;
            Ok(part)
        };
        self.targets.iter().map(part).collect()
    }

    /// Adds the changes to the model's parameters, if it is on.
    ///
    /// # Shapes
    /// `parameters`: `[layout.len()]`
    pub fn add_to(&self, parameters: &mut [f32], layout: &Layout) {
        let parts = if self.is_on { self.parts(layout).unwrap_or_default() } else { Vec::new() };
        for part in parts {
            self.add_part(&part, &mut parameters[part.target.clone()]);
        }
    }

    /// Adds one of its changes to a matrix.
    ///
    /// # Shapes
    /// `matrix`: `[in, out]`
    pub fn add_part(&self, part: &LowRank, matrix: &mut [f32]) {
        let [_, columns] = part.shape;
        let (a, b) = (&self.values[part.a.clone()], &self.values[part.b.clone()]);
        for (row, a) in matrix.chunks_mut(columns).zip(a.chunks(self.rank)) {
            for (a, b) in a.iter().zip(b.chunks(columns)) {
                let factor = self.scale() * a;
                row.iter_mut().zip(b).for_each(|(value, b)| *value += factor * b);
            }
        }
    }
}

/// Kind of a matrix that can be adapted, of [`LoraConfig::NAMES`].
fn kind(parameter: &Parameter) -> Option<&'static str> {
    parameter.spec.layer?;
    let kind =
        match parameter.name().rsplit_once("attn.").or(parameter.name().rsplit_once("mlp."))?.1 {
            "W_Q" => "q",
            "W_K" => "k",
            "W_V" => "v",
            "W_O" => "o",
            "W_in" | "W_gate" => "in",
            "W_out" => "out",
            _ => return None,
        };
    Some(kind)
}
