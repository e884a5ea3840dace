//! Linear maps, `x W + b`.

use crate::base::matrix::Matrix;
use crate::arch::Layout;

/// Parameters of a model by name.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    pub layout: &'a Layout,
    /// `[layout.len()]`
    pub flat: &'a [f32],
}

impl Parameters<'_> {
    /// Values of `name`, if the model has it.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        let parameter = self.layout.find(name)?;
        Some(self.flat[parameter.range.clone()].to_vec())
    }

    /// Values of a parameter that the model has.
    ///
    /// # Panics
    /// If it has no parameter of this name.
    pub fn required(&self, name: &str) -> Vec<f32> {
        self.get(name).unwrap_or_else(|| panic!("the model has no {name}"))
    }

    /// Linear map with matrix `{at}.W_{of}` and, if the model has one, bias `{at}.b_{of}`.
    ///
    /// # Panics
    /// If the model has no such matrix.
    pub fn linear(&self, at: &str, of: &str) -> Linear {
        let name = format!("{at}.W_{of}");
        let Some(parameter) = self.layout.find(&name) else { panic!("the model has no {name}") };
        let out = parameter.shape()[1];
        Linear { w: self.required(&name), b: self.get(&format!("{at}.b_{of}")), out }
    }
}

#[derive(Clone, Debug)]
pub struct Linear {
    w: Vec<f32>,         // [in, out]
    b: Option<Vec<f32>>, // [out]
    out: usize,
}

impl Linear {
    /// Linear map with a matrix `[in, out]` and no bias.
    pub fn new(w: Vec<f32>, out: usize) -> Self {
        Self { w, b: None, out }
    }

    pub fn matrix(&self) -> Matrix<'_> {
        Matrix::new(&self.w, self.out)
    }

    /// # Shapes
    /// `x`: `[seq, in]`; the result: `[seq, out]`
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let seq = x.len() * self.out / self.w.len();
        let mut y = match &self.b {
            Some(b) => b.repeat(seq),
            None => vec![0.0; seq * self.out],
        };
        Matrix::new(x, self.w.len() / self.out).add_product(self.matrix(), &mut y, self.out);
        y
    }
}
