//! A model's weights as analyses read them: matrices of heads, embeddings of tokens.

use std::borrow::Cow;
use std::ops::Range;

use super::AnalysisError;
use super::error::MAX_RECORDED;
use super::linear::{FactoredMatrix, Matrix};
use crate::arch::{Layout, Mixer, Mlp, Norm, head_gate};
use crate::base::matrix;
use crate::config::ModelConfig;
use crate::base::numbers::Numbers;
use crate::host::{LayerActivations, ParameterSource, Parameters, Weights};
pub use crate::report::circuits::Head;

/// The weights of a model, in any format. Matrices are read from them when asked for, so that a view
/// of a large model is as cheap as one of a small.
#[derive(Clone, Debug)]
pub struct View<'a> {
    config: &'a ModelConfig,
    layout: &'a Layout,
    weights: Weights,
    vocab_size: usize,
    /// Mean over the vocabulary of each row of the unembedding, if norms are folded.
    pub(super) folded: Option<Vec<f64>>,
}

impl<'a> View<'a> {
    /// The raw weights.
    ///
    /// # Errors
    /// If there are more or fewer weights than `layout` has.
    pub fn new(
        config: &'a ModelConfig,
        layout: &'a Layout,
        weights: impl Into<Weights>,
    ) -> Result<Self, AnalysisError> {
        let weights = weights.into();
        if weights.count() != layout.len() {
            return Err(AnalysisError::Weights { got: weights.count(), expected: layout.len() });
        }
        let vocab_size = layout.find("embed.W_E").map_or(0, |p| p.shape()[0]);
        Ok(Self { config, layout, weights, vocab_size, folded: None })
    }

    /// The weights as they act, but for what norms divide by: gains are multiplied into the
    /// matrices that read what was normed; what LayerNorms take the mean of has mean 0 beforehand;
    /// and so has each row of the unembedding over the vocabulary, which changes no probability
    /// (TransformerLens' `fold_ln`, `center_writing_weights`, `center_unembed`).
    pub fn folded(mut self) -> Self {
        self.folded = Some(vec![0.0; self.d_model()]);
        let mut sums = Matrix::zeros(self.d_model(), 1);
        self.in_chunks(|view, ids| sums += view.unembedding(ids).column_sum());
        self.folded = Some(sums.iter().map(|sum| sum / self.vocab_size as f64).collect());
        self
    }

    /// The folded view, by the [`means`](Self::means) of a folded view of the same weights.
    pub fn folded_with(self, means: Vec<f64>) -> Self {
        Self { folded: Some(means), ..self }
    }

    /// Mean over the vocabulary of each row of the unembedding, if norms are folded.
    pub fn means(&self) -> Option<&[f64]> {
        self.folded.as_deref()
    }

    pub fn is_folded(&self) -> bool {
        self.folded.is_some()
    }

    pub fn config(&self) -> &'a ModelConfig {
        self.config
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

    pub fn has_mlps(&self) -> bool {
        Mlp::of(self.config).is_some()
    }

    /// True if a layer weighs tokens by their keys; a convolution does not.
    pub fn has_keys(&self, layer: usize) -> bool {
        Mixer::of(self.config, layer).has_keys()
    }

    /// True if all layers weigh tokens by their keys.
    pub fn all_have_keys(&self) -> bool {
        (0..self.n_layers()).all(|layer| self.has_keys(layer))
    }

    /// True if the model has this parameter, as `pos_embed.W_pos`.
    pub fn has(&self, name: &str) -> bool {
        self.layout.find(name).is_some()
    }

    /// All parameters by name.
    pub(super) fn parameters(&self) -> Parameters<'_> {
        Parameters { layout: self.layout, weights: &self.weights }
    }

    /// The gain of `norm` for each component: `[d_model]`; `None` without a norm.
    pub(super) fn gain(&self, norm: &str) -> Option<Vec<f32>> {
        let name = format!("{norm}.{}", Norm::of(self.config).gain_name());
        let gain = self.parameter(&name)?;
        Some(gain.widen().iter().cycle().take(self.d_model()).copied().collect())
    }

    /// The output of each head of a layer, `z W_O` without `b_O`: `[head, seq, d_model]`.
    pub fn head_out(&self, layer: usize, activations: &LayerActivations) -> Vec<f32> {
        let w_o = self.required(&format!("blocks.{layer}.attn.W_O"));
        let (d_model, d_head) = (self.d_model(), self.d_head());
        let width = self.n_heads() * d_head;
        let z = matrix::Matrix::new(&activations.z, width);
        let seq = activations.z.len() / width;
        let mut out = vec![0.0; self.n_heads() * seq * d_model];
        for (head, out) in out.chunks_mut((seq * d_model).max(1)).enumerate() {
            let own = head * d_head..(head + 1) * d_head;
            let w_o = w_o.slice(own.start * d_model..own.end * d_model).widen();
            z.columns(own).add_product(matrix::Matrix::new(&w_o, d_model), out, d_model);
        }
        out
    }

    /// The parameter as it is in the model.
    pub fn parameter(&self, name: &str) -> Option<Numbers<'_>> {
        self.layout.find(name).map(|parameter| self.weights.numbers(parameter))
    }

    /// A parameter that every model has, or none of its numbers.
    pub(super) fn required(&self, name: &str) -> Numbers<'_> {
        self.parameter(name).unwrap_or(Numbers::F32(&[]))
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
    /// If the model does not read `seq` tokens at once, or what it computes of them is more than
    /// [`MAX_RECORDED`].
    pub fn check_length(&self, seq: usize) -> Result<(), AnalysisError> {
        let context = self.config.context;
        if seq == 0 || seq > context {
            return Err(AnalysisError::Context { seq, context });
        }
        let heads = self.n_layers() * self.n_heads();
        let numbers = |seq: &usize| (heads * seq).saturating_mul(seq + self.d_model());
        let fits = |seq: &usize| numbers(seq) <= MAX_RECORDED;
        if fits(&seq) {
            return Ok(());
        }
        let longest = (1..seq).rev().find(fits).unwrap_or(0);
        Err(AnalysisError::Recording { seq, longest })
    }

    /// `W_V W_O`, times the head's gate: what it adds at the query, of what stands at the key. A convolution weighs each number
    /// between the two by itself; here they all weigh 1.
    ///
    /// # Errors
    /// If the model has no such head.
    pub fn ov(&self, head: Head) -> Result<FactoredMatrix, AnalysisError> {
        self.check_head(head)?;
        let (at, d_head) = (head.head * self.d_head(), self.d_head());
        let name = format!("blocks.{}.attn.W_O", head.layer);
        let w_o = self.required(&name);
        let d_model = self.d_model();
        let gates = self.parameter(&format!("blocks.{}.attn.contribution", head.layer));
        let gate = gates.map_or(1.0, |gates| head_gate(gates.get(head.head)));
        let mut out = Matrix::from_fn(d_head, d_model, |row, column| {
            (gate * w_o.get((at + row) * d_model + column)).into()
        });
        if self.centres() {
            centre_rows(&mut out);
        }
        Ok(FactoredMatrix::new(self.reading(head, "V"), out))
    }

    /// `W_Q W_Kᵀ`: what of the query and the key makes a head look; scores are this over
    /// `√d_head`. Rotary positions turn it with the distance: it is what holds at distance 0.
    ///
    /// # Errors
    /// If the model has no such head, or its layer no keys.
    pub fn qk(&self, head: Head) -> Result<FactoredMatrix, AnalysisError> {
        self.check_head(head)?;
        if !self.has_keys(head.layer) {
            return Err(AnalysisError::NoKeys { layer: head.layer });
        }
        Ok(FactoredMatrix::new(self.reading(head, "Q"), self.reading(head, "K").transpose()))
    }

    /// `W_Q`, `W_K` or `W_V` of a head: `[d_model, d_head]`.
    fn reading(&self, head: Head, of: &str) -> Matrix {
        let at = format!("blocks.{}", head.layer);
        let weights = self.required(&format!("{at}.attn.W_{of}"));
        let width = weights.len() / self.d_model();
        let own = &self.own(head, width);
        let mut out = Matrix::from_fn(self.d_model(), self.d_head(), |row, column| {
            weights.get(row * width + own.start + column).into()
        });
        let norm = format!("{at}.attn.{}_norm.w", of.to_lowercase());
        if let Some(gain) = self.parameter(&norm).filter(|_| self.is_folded()) {
            for (mut column, gain) in out.column_iter_mut().zip(gain.widen().iter()) {
                column *= f64::from(*gain);
            }
        }
        self.fold(&mut out, &format!("{at}.ln1"));
        out
    }

    /// `b_V` of a head, if the model has biases.
    pub fn value_bias(&self, head: Head) -> Option<Cow<'_, [f32]>> {
        let bias = self.parameter(&format!("blocks.{}.attn.b_V", head.layer))?;
        Some(bias.slice(self.own(head, bias.len())).widen())
    }

    /// Place of a head's numbers in a row of `width`. Heads may share keys and values, in groups
    /// of neighbours.
    fn own(&self, head: Head, width: usize) -> Range<usize> {
        let d_head = self.d_head();
        let place = head.head * (width / d_head) / self.n_heads();
        place * d_head..(place + 1) * d_head
    }

    /// Multiplies the gain of `norm` into a matrix that reads what it normed.
    pub(super) fn fold(&self, reading: &mut Matrix, norm: &str) {
        let Some(gain) = self.gain(norm).filter(|_| self.is_folded()) else {
            return;
        };
        for (mut row, gain) in reading.row_iter_mut().zip(gain) {
            row *= f64::from(gain);
        }
        if self.centres() {
            for mut column in reading.column_iter_mut() {
                let mean = column.mean();
                column.add_scalar_mut(-mean);
            }
        }
    }

    /// True if writing weights are centred: if norms that take out a mean are folded.
    pub(super) fn centres(&self) -> bool {
        self.is_folded() && Norm::of(self.config).is_centred()
    }
}

pub(super) fn centre_rows(matrix: &mut Matrix) {
    for mut row in matrix.row_iter_mut() {
        let mean = row.mean();
        row.add_scalar_mut(-mean);
    }
}
