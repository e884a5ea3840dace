//! Linear maps, `x W + b`.

#[cfg(feature = "cli")]
use std::sync::Arc;

use super::weights::{ParameterSource, Values, Weights};
use crate::arch::{Layout, Parameter};
#[cfg(feature = "cli")]
use crate::base::quantized::{Bits, Quantized};

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
        Linear { w: Matrix::Stored(w), b, out: parameter.shape()[1] }
    }

    fn find(&self, name: &str) -> &'a Parameter {
        self.layout.find(name).unwrap_or_else(|| panic!("the model has no {name}"))
    }
}

#[derive(Clone, Debug)]
pub struct Linear {
    w: Matrix,           // [in, out]
    b: Option<Vec<f32>>, // [out]
    out: usize,
}

/// A matrix `[in, out]`. Clones share it.
#[derive(Clone, Debug)]
enum Matrix {
    Stored(Values),
    #[cfg(feature = "cli")]
    Quantized(Arc<Quantized>),
}

impl Linear {
    /// Linear map with a matrix `[in, out]` and no bias.
    pub fn new(w: Values, out: usize) -> Self {
        Self { w: Matrix::Stored(w), b: None, out }
    }

    /// # Shapes
    /// `x`: `[seq, in]`; the result: `[seq, out]`
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let seq = x.len() * self.out / self.w.len();
        let mut y = match &self.b {
            Some(b) => b.repeat(seq),
            None => vec![0.0; seq * self.out],
        };
        match &self.w {
            Matrix::Stored(w) => w.numbers().add_product(self.out, x, &mut y),
            #[cfg(feature = "cli")]
            Matrix::Quantized(w) => w.add_product(x, &mut y),
        }
        y
    }
}

impl Matrix {
    /// Numbers of the matrix.
    fn len(&self) -> usize {
        match self {
            Self::Stored(w) => w.numbers().len(),
            #[cfg(feature = "cli")]
            Self::Quantized(w) => w.len(),
        }
    }
}

#[cfg(feature = "cli")]
impl Linear {
    /// Rounds the matrix to so many bits; `None` if a number of it is not finite.
    pub fn quantized(&self, bits: Bits) -> Option<Self> {
        let w = match &self.w {
            Matrix::Stored(w) => Arc::new(Quantized::nearest(bits, w.numbers(), self.out)?),
            Matrix::Quantized(w) => w.clone(),
        };
        Some(Self { w: Matrix::Quantized(w), b: self.b.clone(), out: self.out })
    }

    /// Bytes that the matrix takes.
    pub fn bytes(&self) -> usize {
        match &self.w {
            Matrix::Stored(w) => w.numbers().len() * w.numbers().encoding().bytes(),
            Matrix::Quantized(w) => w.bytes(),
        }
    }
}
