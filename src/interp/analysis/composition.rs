//! Composition of heads: a later one reads what an earlier one writes.
//!
//! Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits";
//! TransformerLens' `all_composition_scores`.

use super::linear::{FactoredMatrix, Matrix, check_width};
use super::{AnalysisError, Head, View};
pub use crate::report::circuits::{RandomComposition, Composition};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Composition of every head of layer `from` with every head of the later layer `to`; NaN through queries and keys where
/// `to` has no keys. Between all
/// layers it costs `3 · heads² / 2` products of `d_head · d_model · d_head`, so it is asked for
/// one pair of layers at a time.
///
/// # Errors
/// If the model lacks a layer, its heads are too wide, or a weight is not finite. Between a layer and one not after it
/// there is nothing: an empty list.
pub fn composition(view: &View, from: usize, to: usize) -> Result<Vec<Composition>, AnalysisError> {
    let n_layers = view.n_layers();
    if let Some(layer) = [from, to].into_iter().find(|layer| *layer >= n_layers) {
        return Err(AnalysisError::NoLayer { layer, n_layers });
    }
    check_width(view.d_head())?;
    if to <= from {
        return Ok(Vec::new());
    }
    let heads = |layer| (0..view.n_heads()).map(move |head| Head { layer, head });
    let measure = |factors, head: Head| {
        let measured = Measured::new(factors);
        let what = || AnalysisError::NotFinite { what: format!("a circuit of {head}") };
        if measured.norm.is_finite() { Ok(measured) } else { Err(what()) }
    };
    let earlier = heads(from).map(|head| Ok((head, measure(view.ov(head)?, head)?)));
    let earlier: Vec<(Head, Measured)> = earlier.collect::<Result<_, AnalysisError>>()?;
    let mut out = Vec::with_capacity(view.n_heads() * view.n_heads());
    for to in heads(to) {
        let qk = if view.has_keys(to.layer) { Some(view.qk(to)?) } else { None };
        let through = |qk: FactoredMatrix| measure(qk, to);
        let k = qk.as_ref().map(FactoredMatrix::transpose).map(through).transpose()?;
        let q = qk.map(through).transpose()?;
        let v = measure(view.ov(to)?, to)?;
        let composed = |ov: &Measured, by: &Option<Measured>| {
            by.as_ref().map_or(f32::NAN, |by| ov.composed(by))
        };
        out.extend(earlier.iter().map(|(from, ov)| Composition {
            from: *from,
            to,
            q: composed(ov, &q),
            k: composed(ov, &k),
            v: ov.composed(&v),
        }));
    }
    out.sort_by_key(|one| (one.from, one.to));
    Ok(out)
}

/// Mean and standard deviation of the composition of `draws` pairs of random heads, whose weights
/// are normal: about `1 / √d_model`. It costs `draws · 5 · d_model · d_head²` operations.
pub fn random_composition(d_model: usize, d_head: usize, draws: usize, seed: u64) -> RandomComposition {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut random = || {
        let mut normal =
            |rows, columns| Matrix::from_fn(rows, columns, |_, _| StandardNormal.sample(&mut rng));
        Measured::new(FactoredMatrix::new(normal(d_model, d_head), normal(d_head, d_model)))
    };
    let scores: Vec<f64> = (0..draws).map(|_| f64::from(random().composed(&random()))).collect();
    let count = draws.max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
    RandomComposition { mean: mean as f32, sd: variance.sqrt() as f32, draws }
}

/// A product of two thin matrices, with what its norms are computed from.
struct Measured {
    factors: FactoredMatrix,
    /// `leftᵀ left` and `right rightᵀ`.
    grams: [Matrix; 2],
    norm: f64,
}

impl Measured {
    fn new(factors: FactoredMatrix) -> Self {
        let left = factors.left.tr_mul(&factors.left);
        let right = &factors.right * factors.right.transpose();
        let norm = left.dot(&right).abs().sqrt();
        Self { factors, grams: [left, right], norm }
    }

    /// `‖A B‖ / (‖A‖ ‖B‖)`, 0 if one of them is 0. With `A = P Q` and `B = R S`,
    /// `‖P (QR) S‖² = tr((QR)ᵀ PᵀP (QR) SSᵀ)`: no matrix of `d_model × d_model` is made.
    fn composed(&self, later: &Self) -> f32 {
        let middle = &self.factors.right * &later.factors.left;
        let square = (&self.grams[0] * &middle).dot(&(&middle * &later.grams[1]));
        let norms = self.norm * later.norm;
        if norms > 0.0 { (square.abs().sqrt() / norms) as f32 } else { 0.0 }
    }
}
