//! The output vectors, the columns of `W_U`, one a token: how far they lie apart, along which
//! directions, and which lie aside.

use super::error::{MAX_CELLS, fits_square};
use super::linear::{Matrix, svd};
use super::output::moments;
use super::{AnalysisError, View};
pub use crate::report::circuits::{Distances, Outlier, Principal};

/// # Errors
/// If the model lacks a token, or there are more than [`MAX_CELLS`] pairs.
pub fn distances(view: &View, tokens: &[u32]) -> Result<Distances, AnalysisError> {
    let count = tokens.len();
    if !fits_square(count) {
        let what = "a table of distances";
        return Err(AnalysisError::TooLarge { what, rows: count, columns: count, limit: MAX_CELLS });
    }
    view.check_tokens(tokens)?;
    let vectors = view.unembedding(tokens);
    let products = vectors.tr_mul(&vectors);
    let square = |token: usize| products[(token, token)];
    let (mut euclidean, mut cosine) = (Vec::new(), Vec::new());
    for a in 0..count {
        for b in 0..count {
            if a == b {
                euclidean.push(0.0);
                cosine.push(0.0);
                continue;
            }
            let product = products[(a, b)];
            let lengths = (square(a) * square(b)).sqrt();
            euclidean.push((square(a) + square(b) - 2.0 * product).max(0.0).sqrt() as f32);
            let cos = if lengths > 0.0 { (product / lengths).clamp(-1.0, 1.0) } else { 0.0 };
            cosine.push((1.0 - cos) as f32);
        }
    }
    Ok(Distances { tokens: tokens.into(), euclidean, cosine })
}

/// Most numbers of the vectors that principal components are taken of: 64 MiB in double precision.
const MAX_VECTORS: usize = 8 << 20;

/// Principal component analysis, by the eigenvectors of the covariance or, if tokens are fewer
/// than components, of their inner products.
///
/// # Errors
/// If the model lacks a token, there are fewer than two, or so many that tokens and components are
/// both above 512.
pub fn principal_components(view: &View, tokens: &[u32]) -> Result<Principal, AnalysisError> {
    let (count, d_model) = (tokens.len(), view.d_model());
    if count < 2 {
        let what = "principal components";
        return Err(AnalysisError::TooFew { what, min: 2, got: count });
    }
    check_components(count, d_model)?;
    view.check_tokens(tokens)?;
    let vectors = view.unembedding(tokens).transpose(); // [tokens, d_model]
    let (places, explained) = directions(vectors, "the output vectors")?;
    Ok(Principal { tokens: tokens.into(), places, explained })
}

/// True if principal components can be taken of so many tokens' output vectors.
pub fn fits_components(view: &View, tokens: usize) -> bool {
    check_components(tokens, view.d_model()).is_ok()
}

fn check_components(tokens: usize, d_model: usize) -> Result<(), AnalysisError> {
    let side = tokens.min(d_model);
    let sizes = [
        ("a table of inner products", side, side, MAX_CELLS),
        ("output vectors", tokens, d_model, MAX_VECTORS),
    ];
    for (what, rows, columns, limit) in sizes {
        if rows.saturating_mul(columns) > limit {
            return Err(AnalysisError::TooLarge { what, rows, columns, limit });
        }
    }
    Ok(())
}

/// Places of vectors along their two main directions, and the share of the variance that each explains.
///
/// # Errors
/// If there are fewer than two, or so many that they and their numbers are both above 512.
pub fn main_directions(vectors: &[&[f32]]) -> Result<(Vec<[f32; 2]>, [f32; 2]), AnalysisError> {
    let (count, width) = (vectors.len(), vectors.first().map_or(0, |vector| vector.len()));
    if count < 2 {
        return Err(AnalysisError::TooFew { what: "principal components", min: 2, got: count });
    }
    let side = count.min(width);
    if side * side > MAX_CELLS {
        let what = "a table of inner products";
        return Err(AnalysisError::TooLarge { what, rows: side, columns: side, limit: MAX_CELLS });
    }
    let numbers = vectors.iter().flat_map(|vector| vector.iter().map(|x| f64::from(*x)));
    directions(Matrix::from_row_iterator(count, width, numbers), "the vectors")
}

fn directions(mut vectors: Matrix, what: &str) -> Result<(Vec<[f32; 2]>, [f32; 2]), AnalysisError> {
    let (count, width) = vectors.shape();
    for mut column in vectors.column_iter_mut() {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    }
    let by_vector = count < width;
    let products =
        if by_vector { &vectors * vectors.transpose() } else { vectors.tr_mul(&vectors) };
    let total = products.trace();
    let axes = svd(&products, what)?;
    let places = |axis: usize| -> Vec<f64> {
        let Some(value) = axes.values.get(axis) else { return vec![0.0; count] };
        let direction = axes.u.column(axis);
        // An eigenvector of the inner products is the coordinates themselves, scaled to length 1.
        let places: Matrix = if by_vector {
            Matrix::from_columns(&[direction * value.sqrt()])
        } else {
            Matrix::from_columns(&[&vectors * direction])
        };
        // Either sign would do.
        let sign = places[places.iamax_full().0].signum();
        places.iter().map(|index| index * sign).collect()
    };
    let (first, second) = (places(0), places(1));
    let share = |axis: usize| match axes.values.get(axis) {
        Some(value) if total > 0.0 => (value / total) as f32,
        _ => 0.0,
    };
    let places = first.iter().zip(&second).map(|(a, b)| [*a as f32, *b as f32]).collect();
    Ok((places, [share(0), share(1)]))
}

/// The tokens of the whole vocabulary whose output vector's length, or distance from the mean
/// vector, is more than `z` standard deviations from the usual, farthest first. With `n` tokens no
/// value lies farther than `√(n − 1)` deviations from their mean, so a small vocabulary has none.
pub fn outliers(view: &View, z: f32) -> Vec<Outlier> {
    let mut mean = Matrix::zeros(view.d_model(), 1);
    view.in_chunks(|view, ids| mean += Matrix::from_columns(&[view.unembedding(ids).column_sum()]));
    mean /= view.vocab_size().max(1) as f64;
    let (mut lengths, mut distances) = (Vec::new(), Vec::new());
    view.in_chunks(|view, ids| {
        for vector in view.unembedding(ids).column_iter() {
            lengths.push(vector.norm() as f32);
            distances.push((vector - mean.column(0)).norm() as f32);
        }
    });
    let scores = |values: &[f32]| -> Vec<f32> {
        let (mean, sd) = moments(values);
        values.iter().map(|x| if sd > 0.0 { (x - mean) / sd } else { 0.0 }).collect()
    };
    let scores = scores(&lengths).into_iter().zip(scores(&distances)).enumerate();
    let outlier =
        |(token, (length_z, distance_z))| Outlier { token: token as u32, length_z, distance_z };
    let mut out: Vec<Outlier> = scores.map(outlier).filter(|o| o.farthest() > z).collect();
    out.sort_by(|a, b| b.farthest().total_cmp(&a.farthest()));
    out
}

impl Outlier {
    fn farthest(&self) -> f32 {
        self.length_z.abs().max(self.distance_z.abs())
    }
}
