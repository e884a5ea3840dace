//! Least squares of all heads, and the state it keeps: see [`LeastSquares`](crate::model).

use super::heads::Heads;
use super::intervene::Interventions;
use super::linear::{Linear, Parameters};
use super::mixed::Mixed;
use crate::arch;
use crate::arch::Side;
use crate::base::matrix::Matrix;
use crate::config::ModelConfig;
use crate::kernel::least_squares::Regression;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct LeastSquares {
    pub heads: Heads,
    /// Map to what is kept, before the sigmoid; `None` if all is.
    gamma: Option<Linear>, // [d_model, n_heads]
    /// α of each head.
    ridge: Vec<f64>,
}

/// State after some tokens: a regression of each head.
#[derive(Clone, Debug, Default)]
pub struct LeastSquaresState {
    regressions: Vec<Regression>,
    tokens: usize,
}

impl LeastSquaresState {
    /// Numbers that it holds, whatever the number of tokens.
    pub fn numbers(&self) -> usize {
        self.regressions.iter().map(Regression::numbers).sum()
    }
}

/// Queries, keys and values, `[seq, n_heads * d_head]` each, and the shares that are kept, `[seq, n_heads]`.
struct Projected {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    gamma: Vec<f32>,
}

impl LeastSquares {
    pub fn new(
        config: &ModelConfig,
        part: arch::LeastSquares,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        let gamma = part.forgets.then(|| parameters.linear(name, "gamma"));
        let ridge = match parameters.get(&format!("{name}.log_ridge")) {
            Some(logs) => logs.iter().map(|log| f64::from(*log).exp()).collect(),
            None => vec![part.ridge; config.n_heads],
        };
        Self { heads: Heads::new(config, parameters, name), gamma, ridge }
    }

    /// Head outputs of tokens that follow those in `state`, and join them: `[seq, n_heads * d_head]`. There is no
    /// pattern to intervene on.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn decode(
        &self,
        x: &[f32],
        state: &mut LeastSquaresState,
        edits: Interventions,
    ) -> Vec<f32> {
        let (heads, d_head) = (&self.heads, self.heads.d_head);
        let width = heads.width();
        let Projected { q, k, v, gamma } = self.project(x, state.tokens);
        if state.regressions.is_empty() {
            state.regressions = self.regressions().collect();
        }
        let mut z = vec![0.0; q.len()];
        for token in 0..q.len() / width {
            for (head, regression) in state.regressions.iter_mut().enumerate() {
                let own = token * width + head * d_head..token * width + (head + 1) * d_head;
                let gamma = f64::from(gamma[token * heads.n_heads + head]);
                regression.learn(&k[own.clone()], &v[own.clone()], gamma);
                regression.predict(&q[own.clone()], &mut z[own]);
            }
        }
        for head in 0..heads.n_heads {
            heads.finish(head, &mut z[head * d_head..], edits);
        }
        state.tokens += q.len() / width;
        z
    }

    /// Activations of a whole prompt. Its patterns are the weights of values in outputs, which may be negative: the gain
    /// of a token, after each later one has corrected what it predicts, times the query. That is
    /// `γ_{s+1} … γ_t k_s · A_t⁻¹ q_t`, without products that cancel.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let (heads, d_head) = (&self.heads, self.heads.d_head);
        let width = heads.width();
        let Projected { q, k, v, gamma } = self.project(x, 0);
        let seq = q.len() / width;
        let mut pattern = vec![0.0; heads.n_heads * seq * seq];
        let mut z = vec![0.0; q.len()];
        let patterns = pattern.chunks_mut((seq * seq).max(1)).zip(self.regressions());
        for (head, (pattern, mut regression)) in patterns.enumerate() {
            let mut left: Vec<Vec<f64>> = Vec::with_capacity(seq);
            for (token, row) in pattern.chunks_mut(seq).enumerate() {
                let [q, k, v] = [&q, &k, &v].map(|x| &x[token * width + head * d_head..][..d_head]);
                regression.learn(k, v, f64::from(gamma[token * heads.n_heads + head]));
                for left in &mut left {
                    let taken = product(left, k);
                    left.iter_mut().zip(&regression.gain).for_each(|(x, gain)| *x -= taken * gain);
                }
                left.push(regression.gain.clone());
                row.iter_mut()
                    .zip(&left)
                    .for_each(|(weight, left)| *weight = product(left, q) as f32);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, seq, seq);
            let z = &mut z[heads.own(head).start..];
            let v = Matrix::new(&v, width).columns(heads.own(head));
            Matrix::new(pattern, seq).add_product(v, z, width);
            heads.finish(head, z, edits);
        }
        let gates = if self.gamma.is_some() { gamma } else { Vec::new() };
        Mixed { q, k, v, pattern, z, gates, recalled: None }
    }

    /// Regressions of no tokens.
    fn regressions(&self) -> impl Iterator<Item = Regression> {
        self.ridge.iter().map(|ridge| Regression::new(self.heads.d_head, *ridge))
    }

    fn project(&self, x: &[f32], start: usize) -> Projected {
        let heads = &self.heads;
        let [q, k, v] = heads.project(x);
        let q = heads.apply_rope(q, Side::Queries, start);
        let k = heads.apply_rope(k, Side::Keys, start);
        let gamma = match &self.gamma {
            Some(gamma) => gamma.forward(x).iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            None => vec![1.0; q.len() / heads.d_head],
        };
        Projected { q, k: heads.of_all_heads(&k), v: heads.of_all_heads(&v), gamma }
    }
}

fn product(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}
