//! A head's circuits, from tokens to tokens: what makes it look (QK), what it then writes (OV),
//! and the path past all heads.
//!
//! Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". Products are
//! those of the [`View`]: raw weights, or with norms folded.

use super::error::MAX_CELLS;
use super::linear::{Matrix, check_width, eigenvalues};
use super::{AnalysisError, Head, View};
pub use crate::report::circuits::{Circuit, Copying, Extremes, SingularDirection, Spectrum, TokenCircuit, Weighted};

/// The circuit between tokens: `rows` are read, or query; `columns` are written, or keys.
///
/// # Errors
/// If the model lacks the head or a token, or its layer keys, or there are more than [`MAX_CELLS`] pairs.
pub fn token_circuit(
    view: &View,
    circuit: Circuit,
    rows: &[u32],
    columns: &[u32],
) -> Result<TokenCircuit, AnalysisError> {
    if rows.len().saturating_mul(columns.len()) > MAX_CELLS {
        let (rows, columns) = (rows.len(), columns.len());
        let what = "a circuit between tokens";
        return Err(AnalysisError::TooLarge { what, rows, columns, limit: MAX_CELLS });
    }
    view.check_tokens(rows)?;
    view.check_tokens(columns)?;
    let from = view.embedding(rows);
    let values = match circuit {
        Circuit::Direct => from * view.unembedding(columns),
        Circuit::Ov(head) => {
            let ov = view.ov(head)?;
            (from * ov.left) * (ov.right * view.unembedding(columns))
        }
        Circuit::Qk(head) => {
            let qk = view.qk(head)?;
            (from * qk.left) * (qk.right * view.embedding(columns).transpose())
        }
    };
    Ok(TokenCircuit {
        circuit,
        folded: view.is_folded(),
        rows: rows.into(),
        columns: columns.into(),
        values: values.transpose().iter().map(|x| *x as f32).collect(),
    })
}

/// The eigenvalues of `W_E W_V W_O W_U`, over the whole vocabulary. All but `d_head` of them are
/// 0; the others are those of `W_O W_U W_E W_V`, for `AB` and `BA` share theirs. It costs
/// `4 · vocab · d_model · d_head` operations.
///
/// # Errors
/// If the model lacks the head, or its weights cannot be decomposed.
pub fn copying(view: &View, head: Head) -> Result<Copying, AnalysisError> {
    let ov = view.ov(head)?;
    check_width(view.d_head())?;
    let mut round = Matrix::zeros(view.d_head(), view.d_head());
    view.in_chunks(|view, ids| {
        round += (&ov.right * view.unembedding(ids)) * (view.embedding(ids) * &ov.left);
    });
    let eigenvalues = eigenvalues(&round, &format!("the OV circuit of {head}"))?;
    Ok(Copying {
        head,
        score: copying_score(&eigenvalues),
        eigenvalues: eigenvalues.iter().map(|[re, im]| [*re as f32, *im as f32]).collect(),
    })
}

/// `Re Σλ / Σ|λ|`; 0 if all eigenvalues are 0.
pub fn copying_score(eigenvalues: &[[f64; 2]]) -> f32 {
    let sizes: f64 = eigenvalues.iter().map(|[re, im]| re.hypot(*im)).sum();
    let sum: f64 = eigenvalues.iter().map(|[re, _]| re).sum();
    if sizes > 0.0 { (sum / sizes) as f32 } else { 0.0 }
}

impl Extremes {
    /// The `count` greatest and least of one weight a token.
    pub fn of(weights: &[f32], count: usize) -> Self {
        let mut order: Vec<u32> = (0..weights.len() as u32).collect();
        order.sort_by(|a, b| weights[*b as usize].total_cmp(&weights[*a as usize]));
        let weigh = |token: &u32| Weighted { token: *token, weight: weights[*token as usize] };
        Self {
            top: order.iter().take(count).map(weigh).collect(),
            bottom: order.iter().rev().take(count).map(weigh).collect(),
        }
    }
}

/// Singular values of a head's OV or QK, with the `top` tokens of the `count` leading directions
/// (Millidge and Black 2022; TransformerLens' `SVDInterpreter`).
///
/// # Errors
/// If the model lacks the head, or its layer keys, its weights cannot be decomposed, or the circuit is of no head.
pub fn spectrum(
    view: &View,
    circuit: Circuit,
    count: usize,
    top: usize,
) -> Result<Spectrum, AnalysisError> {
    let (factors, what) = match circuit {
        Circuit::Direct => return Err(AnalysisError::NotOfAHead),
        Circuit::Ov(head) => (view.ov(head)?, format!("the OV circuit of {head}")),
        Circuit::Qk(head) => (view.qk(head)?, format!("the QK circuit of {head}")),
    };
    let svd = factors.svd(&what)?;
    let count = count.min(svd.values.len());
    let (mut u, mut v) =
        (svd.u.columns(0, count).into_owned(), svd.v.columns(0, count).into_owned());
    for place in 0..count {
        if u.column(place)[u.column(place).iamax()] < 0.0 {
            u.column_mut(place).neg_mut();
            v.column_mut(place).neg_mut();
        }
    }
    let reads = view.read_by(&u);
    let writes = match circuit {
        Circuit::Qk(_) => view.read_by(&v),
        _ => view.written_by(&v.transpose()).transpose(),
    };
    let extremes = |of: &Matrix, place: usize| {
        let weights: Vec<f32> = of.column(place).iter().map(|x| *x as f32).collect();
        Extremes::of(&weights, top)
    };
    let directions = (0..count).map(|place| SingularDirection {
        value: svd.values[place] as f32,
        reads: extremes(&reads, place),
        writes: extremes(&writes, place),
    });
    Ok(Spectrum {
        circuit,
        folded: view.is_folded(),
        values: svd.values.iter().map(|x| *x as f32).collect(),
        directions: directions.collect(),
    })
}
