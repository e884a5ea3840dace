//! The regression of one head, token by token in 64 bits.

/// Weights `W` that predict values from keys, and the root `R` of the inverse of what is known of keys, `A⁻¹ = R Rᵀ`.
#[derive(Clone, Debug)]
pub struct Regression {
    d_head: usize,
    root: Vec<f64>,    // [d_head, d_head]
    weights: Vec<f64>, // [d_head, d_head], keys by values
    /// `A⁻¹ k` of the last token learned: `[d_head]`.
    pub gain: Vec<f64>,
    /// Part of its value that was not predicted: `[d_head]`.
    pub lacked: Vec<f64>,
    folded: Vec<f64>, // [d_head]
}

impl Regression {
    /// A regression of no tokens, with the ridge α.
    pub fn new(d_head: usize, ridge: f64) -> Self {
        let mut root = vec![0.0; d_head * d_head];
        root.iter_mut().step_by(d_head + 1).for_each(|root| *root = ridge.sqrt().recip());
        let [gain, lacked, folded] = [(); 3].map(|()| vec![0.0; d_head]);
        Self { d_head, root, weights: vec![0.0; d_head * d_head], gain, lacked, folded }
    }

    /// Numbers of its state, whatever the number of tokens.
    pub fn numbers(&self) -> usize {
        self.root.len() + self.weights.len()
    }

    /// Forgets by `gamma`, and learns the value of a key.
    ///
    /// # Shapes
    /// `key` and `value`: `[d_head]`
    pub fn learn(&mut self, key: &[f32], value: &[f32], gamma: f64) {
        let Self { d_head, root, weights, gain, lacked, folded } = self;
        fold(root, key, folded);
        let spread = gamma + folded.iter().map(|x| x * x).sum::<f64>();
        fold(weights, key, lacked);
        lacked.iter_mut().zip(value).for_each(|(lacked, v)| *lacked = f64::from(*v) - *lacked);
        let shrink = 1.0 / (1.0 + (gamma / spread).sqrt());
        let scale = gamma.sqrt().recip();
        let rows = root.chunks_mut(*d_head).zip(weights.chunks_mut(*d_head)).zip(gain);
        for ((root, weights), gain) in rows {
            *gain = product(root, folded) / spread;
            let taken = shrink * *gain;
            root.iter_mut().zip(&*folded).for_each(|(x, of)| *x = (*x - taken * of) * scale);
            weights.iter_mut().zip(&*lacked).for_each(|(weight, lacked)| *weight += *gain * lacked);
        }
    }

    /// Values that a query predicts: `[d_head]`.
    pub fn predict(&mut self, query: &[f32], z: &mut [f32]) {
        fold(&self.weights, query, &mut self.folded);
        z.iter_mut().zip(&self.folded).for_each(|(z, x)| *z = *x as f32);
    }

    /// `A⁻¹ q`: `[d_head]`.
    pub fn solve(&mut self, query: &[f32], solved: &mut [f32]) {
        fold(&self.root, query, &mut self.folded);
        let rows = self.root.chunks(self.d_head);
        solved.iter_mut().zip(rows).for_each(|(u, row)| *u = product(row, &self.folded) as f32);
    }

    /// Root and weights, one after the other: `[2 * d_head, d_head]`.
    pub fn state(&self) -> impl Iterator<Item = f32> {
        self.root.iter().chain(&self.weights).map(|x| *x as f32)
    }

    /// Takes the root and the weights of [`state`](Self::state).
    pub fn restore(&mut self, state: &[f32]) {
        let own = self.root.iter_mut().chain(&mut self.weights);
        own.zip(state).for_each(|(own, x)| *own = f64::from(*x));
    }
}

/// The sum of `rows`, `[d_head, d_head]`, each times its number of `by`.
fn fold(rows: &[f64], by: &[f32], sum: &mut [f64]) {
    sum.fill(0.0);
    for (row, by) in rows.chunks(sum.len()).zip(by) {
        let by = f64::from(*by);
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += by * x);
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
