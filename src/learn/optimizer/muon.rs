//! Muon: orthogonalized momentum for the matrices of layers, AdamW for all other parameters.

use std::ops::Range;

use burn::tensor::Tensor;

use super::adamw::AdamW;
use super::clip::clip;
use super::newton_schulz::orthogonalize;
use super::rates::Rates;

/// Weight of the momentum so far against the gradient, and of the momentum against the gradient in the update.
const MOMENTUM: f64 = 0.95;

/// State of Muon (Jordan 2024, <https://kellerjordan.github.io/posts/muon/>).
#[derive(Clone, Debug)]
pub struct Muon {
    places: Places,
    /// Mean gradient of each hidden matrix, later steps weighted more: `[in * out]`.
    momentum: Vec<Tensor<1>>,
    /// AdamW of all other parameters.
    rest: AdamW,
    /// Where these decay.
    decay_of_rest: Tensor<1>,
}

/// A hidden matrix in the flat vector.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// `[in, out]`
    pub shape: [usize; 2],
    pub range: Range<usize>,
}

/// Places of hidden matrices in the flat vector, and of all between them.
#[derive(Clone, Debug)]
struct Places {
    matrices: Vec<Matrix>,
    rest: Vec<Range<usize>>,
}

impl Muon {
    /// State that goes on with these moments. Matrices, which are in the order of the flat vector, have their momentum in
    /// the first and nothing in the second.
    ///
    /// # Shapes
    /// `first`, `second` and `decay_mask`: `[parameters]`
    pub fn new(
        matrices: Vec<Matrix>,
        [first, second]: [Tensor<1>; 2],
        decay_mask: &Tensor<1>,
    ) -> Self {
        let places = Places::new(matrices, first.dims()[0]);
        let momentum = places.matrices.iter().map(|matrix| matrix.of(&first)).collect();
        let rest = AdamW { first: places.rest(&first), second: places.rest(&second) };
        let decay_of_rest = places.rest(decay_mask);
        Self { places, momentum, rest, decay_of_rest }
    }

    /// Lets parameters decay where `decay_mask` is 1: `[parameters]`.
    pub fn set_decay(&mut self, decay_mask: &Tensor<1>) {
        self.decay_of_rest = self.places.rest(decay_mask);
    }

    /// First and second moments: `[parameters]` each. The second ones of hidden matrices are 0.
    pub fn moments(&self) -> [Tensor<1>; 2] {
        let zeros = self.momentum.iter().map(Tensor::zeros_like).collect();
        let AdamW { first, second } = self.rest.clone();
        [self.places.join(&first, self.momentum.clone()), self.places.join(&second, zeros)]
    }

    /// A sum that is not finite if a moment is not: `[1]`.
    pub fn sum(&self) -> Tensor<1> {
        self.momentum.iter().fold(self.rest.sum(), |sum, of| sum + of.clone().sum())
    }

    /// The parameters after one update. Of hidden matrices, only those are changed where `trained` is 1, if it is given.
    ///
    /// # Shapes
    /// `parameters`, `gradient` and `trained`: `[parameters]`
    pub fn update(
        &mut self,
        rates: Rates,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
        trained: Option<&Tensor<1>>,
    ) -> Tensor<1> {
        let gradient = clip(gradient, rates.clip);
        let [lr, decay] = rates.muon;
        let changed = self.places.matrices.iter().zip(&mut self.momentum);
        let changed = changed.map(|(matrix, momentum)| {
            let slope = matrix.of(&gradient).mul_scalar(1.0 - MOMENTUM);
            *momentum = momentum.clone().mul_scalar(MOMENTUM) + slope.clone();
            let ahead = slope + momentum.clone().mul_scalar(MOMENTUM); // Nesterov's
            let step = orthogonalize(ahead.reshape(matrix.shape)).reshape([matrix.range.len()]);
            let value = matrix.of(&parameters);
            let change = step.mul_scalar(lr * matrix.scale()) + value.clone().mul_scalar(decay);
            // A product with orthogonal matrices moves weights whose own gradient is 0.
            let change = match trained {
                Some(trained) => change * matrix.of(trained),
                None => change,
            };
            value - change
        });
        let changed = changed.collect();
        let (rest, slope) = (self.places.rest(&parameters), self.places.rest(&gradient));
        let rest = self.rest.update(rates.unclipped(), rest, slope, &self.decay_of_rest);
        self.places.join(&rest, changed)
    }
}

impl Matrix {
    /// Its part of a flat vector: `[in * out]`.
    fn of(&self, flat: &Tensor<1>) -> Tensor<1> {
        flat.clone().slice(self.range.clone())
    }

    /// Factor of its learning rate, so that updates of matrices of all shapes change what they write alike.
    fn scale(&self) -> f64 {
        let [inputs, outputs] = self.shape.map(|size| size as f64);
        (outputs / inputs).max(1.0).sqrt()
    }
}

impl Places {
    fn new(matrices: Vec<Matrix>, count: usize) -> Self {
        let starts = std::iter::once(0).chain(matrices.iter().map(|matrix| matrix.range.end));
        let ends = matrices.iter().map(|matrix| matrix.range.start).chain([count]);
        let rest = starts.zip(ends).map(|(start, end)| start..end).collect();
        Self { matrices, rest }
    }

    /// Part of a flat vector that lies between hidden matrices.
    fn rest(&self, flat: &Tensor<1>) -> Tensor<1> {
        let pieces = self.rest.iter().filter(|range| !range.is_empty());
        Tensor::cat(pieces.map(|range| flat.clone().slice(range.clone())).collect(), 0)
    }

    /// The flat vector of what lies between hidden matrices, and of these.
    fn join(&self, rest: &Tensor<1>, matrices: Vec<Tensor<1>>) -> Tensor<1> {
        let (mut pieces, mut start) = (Vec::new(), 0);
        let mut matrices = matrices.into_iter();
        for range in &self.rest {
            if !range.is_empty() {
                pieces.push(rest.clone().slice(start..start + range.len()));
                start += range.len();
            }
            pieces.extend(matrices.next());
        }
        Tensor::cat(pieces, 0)
    }
}
