//! The whole model: tokens to logits.

use burn::tensor::{Bool, Int, Tensor};

use super::Weights;
use super::attention::Pattern;
use super::block::Block;
use super::norm::Norm;
use crate::config::ModelConfig;
use crate::kernel::attention::{KeyValues, Mask};
use crate::kernel::dropout::Dropout;
use crate::kernel::embedding::embed;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct Gpt {
    w_e: Param<2>,   // [vocab, d_model]
    w_pos: Param<2>, // [context, d_model]
    blocks: Vec<Block>,
    ln_final: Norm,
    w_u: Option<Linear>, // [d_model, vocab], unless it is the transpose of `w_e`
}

impl Gpt {
    pub fn new(config: &ModelConfig, weights: &Weights) -> Self {
        let block = |layer| Block::new(config.n_heads, weights, &format!("blocks.{layer}"));
        Self {
            w_e: weights.matrix("embed.W_E"),
            w_pos: weights.matrix("pos_embed.W_pos"),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::new(weights, "ln_final"),
            w_u: (!config.tied_head).then(|| weights.linear("unembed", "U")),
        }
    }

    /// Logits of the token that follows each token, and each layer's attention pattern.
    ///
    /// # Shapes
    /// `tokens`: `[batch, seq]`, at most `context` long; logits: `[batch, seq, vocab]`
    pub fn forward(&self, tokens: Tensor<2, Int>) -> (Tensor<3>, Vec<Pattern>) {
        self.forward_training(tokens, None, Dropout::NONE)
    }

    /// As [`forward`](Self::forward), with what training takes away: some activations, and the
    /// sight of `forgotten` tokens, which must not be first in their row.
    ///
    /// # Shapes
    /// `forgotten`: `[batch, seq]`
    pub fn forward_training(
        &self,
        tokens: Tensor<2, Int>,
        forgotten: Option<Tensor<2, Bool>>,
        dropout: Dropout,
    ) -> (Tensor<3>, Vec<Pattern>) {
        let mask = Mask::causal(forgotten);
        let mut patterns = Vec::with_capacity(self.blocks.len());
        let mut resid = dropout.apply(embed(tokens, &self.w_e, &self.w_pos, 0));
        for (block, number) in self.blocks.iter().zip(1..) {
            let (resid_post, pattern) = block.forward(resid, &mask, dropout.site(number << 2));
            resid = resid_post;
            patterns.push(pattern);
        }
        (self.unembed(resid), patterns)
    }

    /// Logits after the last of `tokens`, which follow those in `caches`; of a model on a GPU.
    ///
    /// # Shapes
    /// `tokens`: `[1, seq]`, one token unless the caches are empty; logits: `[1, 1, vocab]`
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, caches: &mut Caches) -> Tensor<3> {
        let [_, seq] = tokens.dims();
        let mut resid = embed(tokens, &self.w_e, &self.w_pos, caches.len());
        for (block, cache) in self.blocks.iter().zip(&mut caches.layers) {
            resid = block.forward_cached(resid, cache);
        }
        let last = resid.narrow(1, seq - 1, 1);
        self.unembed(last)
    }

    /// Empty caches for [`forward_cached`](Self::forward_cached).
    pub fn caches(&self) -> Caches {
        let [context, _] = self.w_pos.shape();
        Caches { layers: self.blocks.iter().map(|block| block.cache(context)).collect() }
    }

    fn unembed(&self, resid: Tensor<3>) -> Tensor<3> {
        let normed = self.ln_final.forward(resid);
        match &self.w_u {
            Some(w_u) => w_u.apply(normed),
            None => Linear::unembed(&self.w_e, normed),
        }
    }
}

/// The keys and values of every layer.
#[derive(Debug)]
pub struct Caches {
    layers: Vec<KeyValues>,
}

impl Caches {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KeyValues::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
