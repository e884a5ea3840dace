//! The parameters of a model as tensors.

use std::sync::Arc;

use burn::tensor::{Gradients, Tensor};

use crate::arch::Layout;
use crate::kernel::is_cpu;
use crate::kernel::linear::Linear;
use crate::kernel::param::{FlatParameters, Param, ParamSlice};

/// The parameters as operations take them.
#[derive(Clone, Debug)]
pub struct Weights<'a> {
    layout: &'a Layout,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// A tensor a parameter, cut from the flat vector, and the gradient so far.
    Sliced(Vec<Tensor<1>>, Option<Box<Tensor<1>>>),
    /// The flat vector as it is, on a GPU.
    Whole(Arc<FlatParameters>),
}

impl<'a> Weights<'a> {
    /// Weights of `flat`, for inference.
    ///
    /// # Shapes
    /// `flat`: `[layout.len()]`
    pub fn new(layout: &'a Layout, flat: &Tensor<1>) -> Self {
        let values = if is_cpu(&flat.device()) {
            Values::Sliced(slices(layout, flat).collect(), None)
        } else {
            Values::Whole(Arc::new(FlatParameters::new(flat)))
        };
        Self { layout, values }
    }

    /// Weights of `flat`, whose gradients can be taken.
    ///
    /// # Shapes
    /// `flat`: `[layout.len()]`
    pub fn trainable(layout: &'a Layout, flat: &Tensor<1>) -> Self {
        let values = if is_cpu(&flat.device()) {
            let leaf = |part: Tensor<1>| part.autodiff().require_grad();
            Values::Sliced(slices(layout, flat).map(leaf).collect(), None)
        } else {
            Values::Whole(Arc::new(FlatParameters::trainable(flat)))
        };
        Self { layout, values }
    }

    /// Adds the gradient of `loss` to those taken before, and tells those by what are no parameters.
    pub fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        match &mut self.values {
            Values::Sliced(leaves, sum) => {
                let mut gradients = loss.backward();
                let of_leaf = |leaf: &Tensor<1>| {
                    let gradient = leaf.grad_remove(&mut gradients);
                    gradient.unwrap_or_else(|| leaf.clone().inner().zeros_like())
                };
                let gradient = Tensor::cat(leaves.iter().map(of_leaf).collect(), 0);
                *sum = Some(Box::new(match sum.take() {
                    Some(sum) => *sum + gradient,
                    None => gradient,
                }));
                gradients
            }
            Values::Whole(parameters) => Arc::make_mut(parameters).backward(loss),
        }
    }

    /// The gradients taken, in the layout's order: `[layout.len()]`. A parameter that no loss
    /// depended on has gradient 0.
    ///
    /// # Panics
    /// If no gradient was taken.
    pub fn into_gradient(self) -> Tensor<1> {
        match self.values {
            Values::Sliced(_, sum) => *sum.expect("a gradient is taken before it is asked for"),
            Values::Whole(parameters) => parameters.gradient(),
        }
    }

    /// The matrix `name`: `[in, out]`.
    ///
    /// # Panics
    /// If the layout has no matrix of that name.
    pub fn matrix(&self, name: &str) -> Param<2> {
        let position = self.layout.position(name);
        let position = position.unwrap_or_else(|| panic!("the model has no {name}"));
        let [rows, columns] = self.layout.parameters()[position].shape()[..] else {
            panic!("{name} is not a matrix");
        };
        self.param(position, [rows, columns])
    }

    /// The vector `name`: `[d]`; `None` if the model has none, as without biases.
    pub fn vector(&self, name: &str) -> Option<Param<1>> {
        let position = self.layout.position(name)?;
        Some(self.param(position, [self.layout.parameters()[position].range.len()]))
    }

    /// The matrix `{name}.W_{of}`, with the bias `{name}.b_{of}` if the model has it.
    ///
    /// # Panics
    /// If the layout has no such matrix.
    pub fn linear(&self, name: &str, of: &str) -> Linear {
        let (w, b) = (format!("{name}.W_{of}"), format!("{name}.b_{of}"));
        Linear { w: self.matrix(&w), b: self.vector(&b) }
    }

    fn param<const D: usize>(&self, position: usize, shape: [usize; D]) -> Param<D> {
        match &self.values {
            Values::Sliced(leaves, _) => Param::Own(Box::new(leaves[position].clone().reshape(shape))),
            Values::Whole(parameters) => {
                let start = self.layout.parameters()[position].range.start;
                Param::Slice(ParamSlice { parameters: parameters.clone(), start, shape })
            }
        }
    }
}

fn slices<'a>(layout: &'a Layout, flat: &'a Tensor<1>) -> impl Iterator<Item = Tensor<1>> + 'a {
    layout.parameters().iter().map(|p| flat.clone().slice(p.range.clone()))
}
