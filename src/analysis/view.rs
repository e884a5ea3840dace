//! A model's weights as analyses read them: matrices of heads, embeddings of tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AnalysisError;
use super::linear::{FactoredMatrix, Matrix};
use crate::config::ModelConfig;
use crate::model::Layout;

/// A head, written `L0H3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    pub layer: usize,
    pub head: usize,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}H{}", self.layer, self.head)
    }
}

/// The weights of a model. Matrices are cut from the flat vector when asked for, so that a view
/// of a large model is as cheap as one of a small.
#[derive(Clone, Debug)]
pub struct View<'a> {
    config: &'a ModelConfig,
    layout: &'a Layout,
    flat: &'a [f32],
    vocab_size: usize,
    /// Mean over the vocabulary of each row of the unembedding, if norms are folded.
    folded: Option<Vec<f64>>,
}

/// Tokens whose embeddings are in double precision at once.
const CHUNK: usize = 256;

impl<'a> View<'a> {
    /// The raw weights.
    ///
    /// # Shapes
    /// `flat`: `[layout.len()]`
    ///
    /// # Errors
    /// If there are more or fewer weights than `layout` has.
    pub fn new(
        config: &'a ModelConfig,
        layout: &'a Layout,
        flat: &'a [f32],
    ) -> Result<Self, AnalysisError> {
        if flat.len() != layout.len() {
            return Err(AnalysisError::Weights { got: flat.len(), expected: layout.len() });
        }
        let vocab_size = layout.find("embed.W_E").map_or(0, |p| p.shape[0]);
        Ok(Self { config, layout, flat, vocab_size, folded: None })
    }

    /// The same function in weights that are read without the norms: gains are multiplied into
    /// the matrices that read what was normed, what writes into the residual stream has mean 0
    /// there, as the norms take the mean out anyway, and so has each row of the unembedding over
    /// the vocabulary, which changes no probability (TransformerLens' `fold_ln`,
    /// `center_writing_weights`, `center_unembed`).
    pub fn folded(mut self) -> Self {
        self.folded = Some(vec![0.0; self.d_model()]);
        let mut sums = Matrix::zeros(self.d_model(), 1);
        self.in_chunks(|view, ids| sums += view.unembedding(ids).column_sum());
        self.folded = Some(sums.iter().map(|sum| sum / self.vocab_size as f64).collect());
        self
    }

    pub fn is_folded(&self) -> bool {
        self.folded.is_some()
    }

    pub fn n_layers(&self) -> usize {
        self.config.n_layers
    }

    pub fn n_heads(&self) -> usize {
        self.config.n_heads
    }

    pub fn d_model(&self) -> usize {
        self.config.d_model
    }

    pub fn d_head(&self) -> usize {
        self.config.d_head()
    }

    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Every head, layer by layer.
    pub fn heads(&self) -> impl Iterator<Item = Head> + use<> {
        let n_heads = self.n_heads();
        (0..self.n_layers())
            .flat_map(move |layer| (0..n_heads).map(move |head| Head { layer, head }))
    }

    /// Whether the model has this parameter, as `blocks.0.mlp.W_in`.
    pub fn has(&self, name: &str) -> bool {
        self.layout.find(name).is_some()
    }

    /// The parameter as it is in the model.
    pub fn parameter(&self, name: &str) -> Option<&'a [f32]> {
        self.layout.find(name).map(|p| &self.flat[p.range.clone()])
    }

    /// # Errors
    /// If the model has no such head.
    pub fn check_head(&self, head: Head) -> Result<(), AnalysisError> {
        let (n_layers, n_heads) = (self.n_layers(), self.n_heads());
        if head.layer < n_layers && head.head < n_heads {
            Ok(())
        } else {
            Err(AnalysisError::NoHead { head, n_layers, n_heads })
        }
    }

    /// # Errors
    /// If the vocabulary lacks one of `tokens`.
    pub fn check_tokens(&self, tokens: &[u32]) -> Result<(), AnalysisError> {
        let vocab_size = self.vocab_size;
        match tokens.iter().find(|token| **token as usize >= vocab_size) {
            Some(token) => Err(AnalysisError::NoToken { token: *token, vocab_size }),
            None => Ok(()),
        }
    }

    /// # Errors
    /// If `ids` are more than the context holds, none, or not of the vocabulary.
    pub fn check_prompt(&self, ids: &[u32]) -> Result<(), AnalysisError> {
        self.check_length(ids.len())?;
        self.check_tokens(ids)
    }

    /// # Errors
    /// If the model does not read `seq` tokens at once.
    pub fn check_length(&self, seq: usize) -> Result<(), AnalysisError> {
        let context = self.config.context;
        if seq == 0 || seq > context {
            return Err(AnalysisError::Context { seq, context });
        }
        Ok(())
    }

    /// `W_V W_O`: what a head adds at the query, of what stands at the key.
    ///
    /// # Errors
    /// If the model has no such head.
    pub fn ov(&self, head: Head) -> Result<FactoredMatrix, AnalysisError> {
        self.check_head(head)?;
        let (at, d_head) = (head.head * self.d_head(), self.d_head());
        let name = format!("blocks.{}.attn.W_O", head.layer);
        let w_o = self.parameter(&name).unwrap_or_default();
        let d_model = self.d_model();
        let mut out = Matrix::from_fn(d_head, d_model, |row, column| {
            w_o[(at + row) * d_model + column].into()
        });
        if self.centres() {
            centre_rows(&mut out);
        }
        Ok(FactoredMatrix::new(self.reading(head, "V"), out))
    }

    /// `W_Q W_Kᵀ`: what of the query and the key makes a head look; scores are this over
    /// `√d_head`.
    ///
    /// # Errors
    /// If the model has no such head.
    pub fn qk(&self, head: Head) -> Result<FactoredMatrix, AnalysisError> {
        self.check_head(head)?;
        Ok(FactoredMatrix::new(self.reading(head, "Q"), self.reading(head, "K").transpose()))
    }

    /// `W_Q`, `W_K` or `W_V` of a head: `[d_model, d_head]`.
    fn reading(&self, head: Head, of: &str) -> Matrix {
        let at = format!("blocks.{}", head.layer);
        let weights = self.parameter(&format!("{at}.attn.W_{of}")).unwrap_or_default();
        let (first, width) = (head.head * self.d_head(), self.n_heads() * self.d_head());
        let mut out = Matrix::from_fn(self.d_model(), self.d_head(), |row, column| {
            weights[row * width + first + column].into()
        });
        self.fold(&mut out, &format!("{at}.ln1"));
        out
    }

    /// Multiplies the gain of `norm` into a matrix that reads what it normed.
    fn fold(&self, reading: &mut Matrix, norm: &str) {
        let Some(gain) = self.parameter(&format!("{norm}.w")).filter(|_| self.is_folded()) else {
            return;
        };
        for (mut row, gain) in reading.row_iter_mut().zip(gain) {
            row *= f64::from(*gain);
        }
        if self.centres() {
            for mut column in reading.column_iter_mut() {
                let mean = column.mean();
                column.add_scalar_mut(-mean);
            }
        }
    }

    /// Whether writing weights are centred: if norms that take out a mean are folded.
    fn centres(&self) -> bool {
        self.is_folded() && self.has("ln_final.w")
    }

    /// Rows of `W_E`: `[ids, d_model]`. The ids must be in the vocabulary.
    pub fn embedding(&self, ids: &[u32]) -> Matrix {
        let (w_e, d_model) = (self.parameter("embed.W_E").unwrap_or_default(), self.d_model());
        let mut out = Matrix::from_fn(ids.len(), d_model, |row, column| {
            w_e[ids[row] as usize * d_model + column].into()
        });
        if self.centres() {
            centre_rows(&mut out);
        }
        out
    }

    /// Columns of `W_U`: `[d_model, ids]`. The ids must be in the vocabulary.
    pub fn unembedding(&self, ids: &[u32]) -> Matrix {
        let of = |row: usize, id: u32| self.unembedding_weight(row, id as usize).into();
        let mut out =
            Matrix::from_fn(self.d_model(), ids.len(), |row, column| of(row, ids[column]));
        self.fold(&mut out, "ln_final");
        for (mut row, mean) in out.row_iter_mut().zip(self.folded.iter().flatten()) {
            row.add_scalar_mut(-mean);
        }
        out
    }

    fn unembedding_weight(&self, component: usize, token: usize) -> f32 {
        match self.parameter("unembed.W_U") {
            Some(w_u) => w_u[component * self.vocab_size + token],
            None => {
                let w_e = self.parameter("embed.W_E").unwrap_or_default();
                w_e[token * self.d_model() + component]
            }
        }
    }

    /// Raw `W_U` of one component for every token: `[vocab]`.
    pub fn unembedding_row(&self, component: usize) -> Vec<f32> {
        (0..self.vocab_size).map(|token| self.unembedding_weight(component, token)).collect()
    }

    /// `W_E @ reading`: `[vocab, columns]`.
    pub fn read_by(&self, reading: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(self.vocab_size, reading.ncols());
        self.in_chunks(|view, ids| {
            let rows = view.embedding(ids) * reading;
            out.rows_mut(ids[0] as usize, ids.len()).copy_from(&rows);
        });
        out
    }

    /// `writing @ W_U`: `[rows, vocab]`.
    pub fn written_by(&self, writing: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(writing.nrows(), self.vocab_size);
        self.in_chunks(|view, ids| {
            let columns = writing * view.unembedding(ids);
            out.columns_mut(ids[0] as usize, ids.len()).copy_from(&columns);
        });
        out
    }

    /// Does `each` with all ids, some at a time.
    pub(crate) fn in_chunks(&self, mut each: impl FnMut(&Self, &[u32])) {
        let ids: Vec<u32> = (0..self.vocab_size as u32).collect();
        ids.chunks(CHUNK).for_each(|ids| each(self, ids));
    }
}

fn centre_rows(matrix: &mut Matrix) {
    for mut row in matrix.row_iter_mut() {
        let mean = row.mean();
        row.add_scalar_mut(-mean);
    }
}
