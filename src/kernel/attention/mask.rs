//! Mask of causal attention: the keys that each query sees.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::kernel::fused;

/// Keys that a query sees: those up to its own place, but for hidden ones.
#[derive(Clone, Debug)]
pub struct Mask {
    pub(super) hidden: Option<Hidden>,
}

#[derive(Clone, Debug)]
pub(super) enum Hidden {
    Cpu {
        values: Arc<[bool]>, // [batch, key]
        seq: usize,
    },
    Gpu(Box<Tensor<2, Int>>),
}

/// Number added to the score of a hidden key.
pub(super) const HIDDEN: f32 = -1e9;

impl Mask {
    /// No token sees a later one, nor any of the `hidden` ones, which must not be first.
    ///
    /// # Shapes
    /// `hidden`: `[batch, seq]`
    pub fn causal(hidden: Option<Tensor<2, Bool>>) -> Self {
        let hidden = hidden.map(|hidden| match fused::is_cpu(&hidden.device()) {
            true => {
                let [_, seq] = hidden.dims();
                Hidden::Cpu { values: hidden.into_data().iter::<bool>().collect(), seq }
            }
            false => Hidden::Gpu(Box::new(hidden.int())),
        });
        Self { hidden }
    }

    /// The hidden keys on the CPU, `[batch, key]`; `None` if none is hidden.
    pub(in crate::kernel) fn on_host(&self) -> Option<Arc<[bool]>> {
        match self.hidden.as_ref()? {
            Hidden::Cpu { values, .. } => Some(values.clone()),
            Hidden::Gpu(_) => None,
        }
    }

    /// The hidden keys on a GPU, `[batch, key]`; `None` if none is hidden.
    pub(in crate::kernel) fn on_gpu(&self) -> Option<Tensor<2, Int>> {
        match self.hidden.as_ref()? {
            Hidden::Gpu(hidden) => Some((**hidden).clone()),
            Hidden::Cpu { .. } => None,
        }
    }

    /// 1 for each key, or 0 if it is hidden, `[batch, seq, 1]`; `None` if none is hidden.
    pub fn shown(&self, device: &Device) -> Option<Tensor<3>> {
        let hidden = match self.hidden.as_ref()? {
            Hidden::Gpu(hidden) => {
                let hidden = (**hidden).clone().float();
                let is_constant = !device.is_autodiff() || hidden.is_autodiff();
                if is_constant { hidden } else { hidden.autodiff() }
            }
            Hidden::Cpu { values, seq } => {
                let numbers: Vec<f32> = values.iter().map(|hidden| f32::from(*hidden)).collect();
                let batch = numbers.len() / seq;
                Tensor::from_data(TensorData::new(numbers, [batch, *seq]), device)
            }
        };
        Some(hidden.neg().add_scalar(1.0).unsqueeze_dim::<3>(2))
    }

    /// Numbers added to scores, 0 or at most [`HIDDEN`], with a window of as many keys: `[batch or 1, 1, query, key]`.
    pub(super) fn added(&self, seq: usize, window: usize, device: &Device) -> Tensor<4> {
        let sees = |query: usize, key: usize| key <= query && query < key + window;
        let values = (0..seq)
            .flat_map(|query| (0..seq).map(move |key| if sees(query, key) { 0.0 } else { HIDDEN }))
            .collect::<Vec<_>>();
        let added = Tensor::from_data(TensorData::new(values, [1, 1, seq, seq]), device);
        let hidden = match &self.hidden {
            None => return added,
            Some(Hidden::Gpu(hidden)) => (**hidden).clone().float(),
            Some(Hidden::Cpu { values, .. }) => {
                let values: Vec<f32> = values.iter().map(|hidden| f32::from(*hidden)).collect();
                let batch = values.len() / seq;
                Tensor::from_data(TensorData::new(values, [batch, seq]), device)
            }
        };
        let [batch, _] = hidden.dims();
        added + hidden.mul_scalar(HIDDEN).reshape([batch, 1, 1, seq])
    }
}
