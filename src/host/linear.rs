//! Linear maps, `x W + b`.

use super::weights::{ParameterSource, Values, Weights};
use crate::arch::{Layout, Parameter};

/// Parameters of a model by name.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    pub layout: &'a Layout,
    pub weights: &'a Weights,
}

impl<'a> Parameters<'a> {
    /// A copy of the values of `name` in 32 bits, if the model has it.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        let parameter = self.layout.find(name)?;
        Some(self.weights.numbers(parameter).widen().into_owned())
    }

    /// A copy of the values of a parameter that the model has.
    ///
    /// # Panics
    /// If it has no parameter of this name.
    pub fn required(&self, name: &str) -> Vec<f32> {
        self.weights.numbers(self.find(name)).widen().into_owned()
    }

    /// The values of a parameter that the model has, as they are stored.
    ///
    /// # Panics
    /// If it has no parameter of this name.
    pub fn shared(&self, name: &str) -> Values {
        self.weights.values(self.find(name))
    }

    /// Linear map with matrix `{at}.W_{of}` and, if the model has one, bias `{at}.b_{of}`.
    ///
    /// # Panics
    /// If the model has no such matrix.
    pub fn linear(&self, at: &str, of: &str) -> Linear {
        let parameter = self.find(&format!("{at}.W_{of}"));
        let (w, b) = (self.weights.values(parameter), self.get(&format!("{at}.b_{of}")));
        Linear { w, b, out: parameter.shape()[1] }
    }

    fn find(&self, name: &str) -> &'a Parameter {
        self.layout.find(name).unwrap_or_else(|| panic!("the model has no {name}"))
    }
}

#[derive(Clone, Debug)]
pub struct Linear {
    w: Values,           // [in, out]
    b: Option<Vec<f32>>, // [out]
    out: usize,
}

impl Linear {
    /// Linear map with a matrix `[in, out]` and no bias.
    pub fn new(w: Values, out: usize) -> Self {
        Self { w, b: None, out }
    }

    /// # Shapes
    /// `x`: `[seq, in]`; the result: `[seq, out]`
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let w = self.w.numbers();
        let seq = x.len() * self.out / w.len();
        let mut y = match &self.b {
            Some(b) => b.repeat(seq),
            None => vec![0.0; seq * self.out],
        };
        w.add_product(self.out, x, &mut y);
        y
    }
}
