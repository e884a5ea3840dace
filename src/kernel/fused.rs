//! Operations on the CPU with a backward pass of their own, among Burn's.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, BackendTensor, DispatchAutodiffContext, DispatchDevice, DispatchTensor,
    DispatchTensorKind, Flex,
};
use burn::tensor::{Device, Tensor, TensorData};

/// A function of `N` float tensors, each contiguous, and its gradient.
pub trait Fused<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs besides the inputs.
    type Saved: Clone + Debug + Send + 'static;

    fn forward(&self, inputs: &[FlexTensor; N]) -> (FlexTensor, Self::Saved);

    /// The gradient by every input, from that by the output.
    fn backward(
        &self,
        inputs: &[FlexTensor; N],
        saved: &Self::Saved,
        gradient: &FlexTensor,
    ) -> [FlexTensor; N];
}

/// Numbers that are worth a thread's while.
pub const PART: usize = 1 << 14;

/// Whether [`apply`] works on tensors of `device`.
pub fn runs_on(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

pub fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

/// The values of a contiguous tensor.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.storage()
}

pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// `operation` of `inputs`, which are on a device that it [`runs_on`].
///
/// # Panics
/// If they are not.
pub fn apply<O: Fused<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> Tensor<D> {
    let is_tracked = |input: &DispatchTensor| input.autodiff != DispatchAutodiffContext::Disabled;
    if !inputs.iter().any(is_tracked) {
        let inputs = inputs.map(|input| match input.kind {
            DispatchTensorKind::Flex(BackendTensor::Float(input)) => input.to_contiguous(),
            other => unreachable!("fused operations are for floats on the CPU, not {other:?}"),
        });
        return Tensor::from_primitive::<Flex>(operation.forward(&inputs).0);
    }
    let inputs = inputs.map(tracked);
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    let (output, saved) = operation.forward(&inputs);
    let state = State { operation, inputs, saved };
    let step = Step::<O>(std::marker::PhantomData);
    let output = match step.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// An input as Burn's autodiff knows it, a constant if it did not.
fn tracked(input: DispatchTensor) -> FloatTensor<Autodiff<Flex>> {
    match input.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(input)) => {
            <FloatTensor<Autodiff<Flex>>>::new(input)
        }
        DispatchTensorKind::Autodiff(input) => match *input {
            DispatchTensorKind::Flex(input) => input.autodiff(),
            other => unreachable!("fused operations are for floats on the CPU, not {other:?}"),
        },
        other => unreachable!("fused operations are for floats on the CPU, not {other:?}"),
    }
}

#[derive(Clone, Debug)]
struct State<O, S, const N: usize> {
    operation: O,
    inputs: [FlexTensor; N],
    saved: S,
}

#[derive(Debug)]
struct Step<O>(std::marker::PhantomData<O>);

impl<O: Fused<N>, const N: usize> Backward<Flex, N> for Step<O> {
    type State = State<O, O::Saved, N>;

    fn backward(
        self,
        step: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<Flex>(&step.node).to_contiguous();
        let State { operation, inputs, saved } = step.state;
        let by_input = operation.backward(&inputs, &saved, &gradient);
        for (parent, gradient) in step.parents.into_iter().zip(by_input) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
