//! Least squares from keys to values, see [`kernel::least_squares`](crate::kernel::least_squares): intention
//! (Garnelo & Czarnecki 2023), or mesa (von Oswald et al. 2023), which forgets.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::Weights;
use super::heads::Heads;
use super::rotary::Rotation;
use crate::arch;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::least_squares::{attend, follow};
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct LeastSquares {
    heads: Heads,
    /// Map to what is kept, before the sigmoid; `None` if all is.
    gamma: Option<Linear>, // [d_model, n_heads]
    ridge: Ridge,
}

/// ln α.
#[derive(Clone, Debug)]
enum Ridge {
    Fixed(f64),
    Trained(Param<1>), // [n_heads]
}

/// State after some tokens: `[n_heads, 2 * d_head, d_head]`, see [`follow`].
#[derive(Clone, Debug, Default)]
pub struct LeastSquaresState {
    state: Option<Tensor<3>>,
    tokens: usize,
}

impl LeastSquaresState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl LeastSquares {
    pub fn new(
        config: &ModelConfig,
        part: arch::LeastSquares,
        weights: &Weights,
        name: &str,
    ) -> Self {
        let ridge = match weights.vector(&format!("{name}.log_ridge")) {
            Some(trained) => Ridge::Trained(trained),
            None => Ridge::Fixed(part.ridge.ln()),
        };
        let gamma = part.forgets.then(|| weights.linear(name, "gamma"));
        Self { heads: Heads::new(config, weights, name), gamma, ridge }
    }

    /// The residual stream after the mixer has written into it. A hidden token is neither learned nor forgotten by.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> Tensor<3> {
        let (gamma, ridge) = (self.gamma(&x), self.log_ridge(&x.device()));
        let z = attend(self.heads.project(x, rotation), gamma, ridge, mask);
        self.heads.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut LeastSquaresState,
    ) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let (gamma, ridge) = (self.gamma(&x), self.log_ridge(&x.device()));
        let qkv = self.heads.project(x, rotation);
        let (z, after) = follow(qkv, gamma, ridge, state.state.take());
        *state = LeastSquaresState { state: Some(after), tokens: state.tokens + seq };
        self.heads.write(z, resid, Dropout::NONE)
    }

    /// Shares that are kept: `[batch, seq, n_heads]`.
    fn gamma(&self, x: &Tensor<3>) -> Tensor<3> {
        let [batch, seq, _] = x.dims();
        match &self.gamma {
            Some(gamma) => sigmoid(gamma.apply(x.clone())),
            None => Tensor::ones([batch, seq, self.heads.n_heads], &x.device()),
        }
    }

    /// ln α of each head: `[n_heads]`.
    fn log_ridge(&self, device: &Device) -> Tensor<1> {
        match &self.ridge {
            Ridge::Fixed(log) => Tensor::full([self.heads.n_heads], *log, device),
            Ridge::Trained(log) => log.tensor(),
        }
    }
}
