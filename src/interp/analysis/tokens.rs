//! Between tokens and the residual stream: the embedding, the final norm and the unembedding.

use super::View;
use super::linear::Matrix;
use super::view::centre_rows;
use crate::arch;
use crate::host::Norm;

/// Tokens whose embeddings are in double precision at once.
const CHUNK: usize = 256;

impl View<'_> {
    /// Rows of `W_E`: `[ids, d_model]`. The ids must be in the vocabulary.
    pub fn embedding(&self, ids: &[u32]) -> Matrix {
        let (w_e, d_model) = (self.required("embed.W_E"), self.d_model());
        let mut out = Matrix::from_fn(ids.len(), d_model, |row, column| {
            w_e.get(ids[row] as usize * d_model + column).into()
        });
        if self.centres() {
            centre_rows(&mut out);
        }
        out
    }

    /// Columns of `W_U`: `[d_model, ids]`. The ids must be in the vocabulary.
    pub fn unembedding(&self, ids: &[u32]) -> Matrix {
        let w_u = self.w_u();
        let mut out = Matrix::from_fn(self.d_model(), ids.len(), |row, column| {
            w_u(row, ids[column] as usize).into()
        });
        self.fold(&mut out, "ln_final");
        for (mut row, mean) in out.row_iter_mut().zip(self.folded.iter().flatten()) {
            row.add_scalar_mut(-mean);
        }
        out
    }

    /// Raw `W_U`, by component and token.
    pub fn w_u(&self) -> impl Fn(usize, usize) -> f32 {
        let (weights, by_component, by_token) = match self.parameter("unembed.W_U") {
            Some(w_u) => (w_u, self.vocab_size(), 1),
            None => (self.required("embed.W_E"), 1, self.d_model()),
        };
        move |component, token| weights.get(component * by_component + token * by_token)
    }

    /// Raw `W_U` of one component for every token: `[vocab]`.
    pub fn unembedding_row(&self, component: usize) -> Vec<f32> {
        let w_u = self.w_u();
        (0..self.vocab_size()).map(|token| w_u(component, token)).collect()
    }

    /// `W_E @ reading`: `[vocab, columns]`.
    pub fn read_by(&self, reading: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(self.vocab_size(), reading.ncols());
        self.in_chunks(|view, ids| {
            let rows = view.embedding(ids) * reading;
            out.rows_mut(ids[0] as usize, ids.len()).copy_from(&rows);
        });
        out
    }

    /// `writing @ W_U`: `[rows, vocab]`.
    pub fn written_by(&self, writing: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(writing.nrows(), self.vocab_size());
        self.in_chunks(|view, ids| {
            let columns = writing * view.unembedding(ids);
            out.columns_mut(ids[0] as usize, ids.len()).copy_from(&columns);
        });
        out
    }

    /// Does `each` with all ids, some at a time.
    pub(crate) fn in_chunks(&self, mut each: impl FnMut(&Self, &[u32])) {
        let ids: Vec<u32> = (0..self.vocab_size() as u32).collect();
        ids.chunks(CHUNK).for_each(|ids| each(self, ids));
    }

    /// The final norm of one token's residual stream, by raw weights: `[d_model]`.
    pub fn final_norm(&self, resid: &[f32]) -> Vec<f32> {
        Norm::new(self.config(), self.parameters(), "ln_final").forward(resid)
    }

    /// The gain of a logit, or of a difference of two, from a vector in the residual stream, for each
    /// of its components: `direction`, a sum of columns of `W_U`, seen through the final norm but
    /// for its scale and bias.
    pub fn through_final_norm(&self, direction: &[f32]) -> Vec<f32> {
        let Some(gain) = self.gain("ln_final") else { return direction.to_vec() };
        let scaled: Vec<f32> = direction.iter().zip(gain).map(|(x, gain)| x * gain).collect();
        // To take the mean out of one factor of a dot product is to take it out of the other.
        if arch::Norm::of(self.config()).is_centred() { centred(&scaled) } else { scaled }
    }

    /// `normed @ W_U` by raw weights, for one token: `[vocab]`.
    pub fn logits(&self, normed: &[f32]) -> Vec<f32> {
        match self.parameter("unembed.W_U") {
            Some(w_u) => {
                let mut logits = vec![0.0; self.vocab_size()];
                for (x, row) in normed.iter().zip(w_u.rows(self.vocab_size())) {
                    logits.iter_mut().zip(row.iter()).for_each(|(logit, w)| *logit += x * w);
                }
                logits
            }
            None => {
                let w_e = self.required("embed.W_E");
                w_e.rows(self.d_model()).map(|row| dot(&row, normed)).collect()
            }
        }
    }
}

pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn centred(x: &[f32]) -> Vec<f32> {
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    x.iter().map(|x| x - mean).collect()
}
