//! A model's parameters, as operations take them.

use std::sync::Arc;

use burn::backend::Cube;
use burn::tensor::{Gradients, Tensor};

use super::fused;
use super::fused::is_cpu;
use super::gpu::GpuTensor;
use super::linear::gpu::half::Half;

/// One parameter of `D` dimensions.
#[derive(Clone, Debug)]
pub enum Param<const D: usize> {
    /// A tensor of its own, by which Burn takes the gradient.
    Own(Box<Tensor<D>>),
    /// A slice of a flat vector on a GPU, which kernels read as it lies and leave the gradient beside.
    Slice(ParamSlice<D>),
}

/// A parameter that lies in [`FlatParameters`].
#[derive(Clone, Debug)]
pub struct ParamSlice<const D: usize> {
    pub parameters: Arc<FlatParameters>,
    /// Place of its first value.
    pub start: usize,
    pub shape: [usize; D],
}

/// All parameters of a model on a GPU, in one vector.
#[derive(Clone, Debug)]
pub struct FlatParameters {
    /// A leaf of the gradient graph if it is trained.
    leaf: Tensor<1>,
    /// `[parameters]`
    pub values: GpuTensor,
    /// `[parameters]`, to which the backward pass of every kernel adds.
    pub gradient: Option<GpuTensor>,
    /// Half precision, if the GPU has matrix units for it.
    pub half: Option<Half>,
}

impl<const D: usize> Param<D> {
    pub fn shape(&self) -> [usize; D] {
        match self {
            Self::Own(tensor) => tensor.dims(),
            Self::Slice(slice) => slice.shape,
        }
    }

    /// The parameter alone, for plain operations: on a GPU, a copy.
    pub fn tensor(&self) -> Tensor<D> {
        match self {
            Self::Own(tensor) => (**tensor).clone(),
            Self::Slice(ParamSlice { parameters, start, shape }) => {
                let end = start + shape.iter().product::<usize>();
                parameters.leaf.clone().slice(*start..end).reshape(*shape)
            }
        }
    }
}

impl Param<2> {
    /// The matrix that begins at `start` of a flat vector, for products in 32 bits. Burn's own product would bring kernels
    /// of an eighth of the page's worker.
    pub fn matrix(flat: &Tensor<1>, start: usize, shape: [usize; 2]) -> Self {
        match is_cpu(&flat.device()) {
            true => {
                let end = start + shape[0] * shape[1];
                Self::Own(Box::new(flat.clone().slice(start..end).reshape(shape)))
            }
            false => {
                let parameters = Arc::new(FlatParameters::exact(flat));
                Self::Slice(ParamSlice { parameters, start, shape })
            }
        }
    }
}

impl FlatParameters {
    /// `flat`, which is on a GPU, to be read.
    ///
    /// # Shapes
    /// `flat`: `[parameters]`
    pub fn new(flat: &Tensor<1>) -> Self {
        let values = fused::primitive::<Cube>(flat.clone().into_dispatch());
        let half = Half::of(&values.client);
        Self { leaf: flat.clone(), values, gradient: None, half }
    }

    /// `flat`, which products read in 32 bits only.
    pub fn exact(flat: &Tensor<1>) -> Self {
        Self { half: None, ..Self::new(flat) }
    }

    /// `flat` to be trained: read as by [`new`](Self::new), with gradients of 0.
    pub fn trainable(flat: &Tensor<1>) -> Self {
        let leaf = flat.clone().autodiff().require_grad();
        let gradient = fused::primitive::<Cube>(flat.zeros_like().into_dispatch());
        Self { leaf, gradient: Some(gradient), ..Self::new(flat) }
    }

    /// The same values, whose gradients are not taken; `None` if none are anyway.
    pub fn constant(&self) -> Option<Self> {
        self.gradient.as_ref()?;
        Some(Self { leaf: self.leaf.clone().inner(), gradient: None, ..self.clone() })
    }

    /// Leaf that keeps a graph of operations together that otherwise only read parameters.
    pub(super) fn leaf(&self) -> &Tensor<1> {
        &self.leaf
    }

    /// The gradient that kernels were to add to.
    ///
    /// # Panics
    /// If nothing is trained here.
    pub(super) fn by_values(&self) -> &GpuTensor {
        self.gradient.as_ref().expect("only a model that is trained has a backward pass")
    }

    /// Adds the gradients of `loss`, and tells the others.
    pub fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        let mut gradients = loss.backward();
        // The gradient of plain operations on it.
        if let Some(by_copies) = self.leaf.grad_remove(&mut gradients) {
            let by_kernels = Tensor::<1>::from_primitive::<Cube>(self.by_values().clone());
            let sum = by_kernels + by_copies;
            self.gradient = Some(fused::primitive::<Cube>(sum.into_dispatch()));
        }
        gradients
    }

    /// The gradients so far: `[parameters]`.
    pub fn gradient(&self) -> Tensor<1> {
        Tensor::from_primitive::<Cube>(self.by_values().clone())
    }
}
