//! Operations with a backward pass of their own, among Burn's.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{
    Autodiff, Backend, BackendTensor, Cube, DispatchAutodiffContext, DispatchDevice,
    DispatchTensor, DispatchTensorKind, Flex,
};
use burn::tensor::{Device, Tensor, TensorData};

/// A function of `N` float tensors of a backend, each contiguous, and its gradient.
pub trait Fused<B: Executor, const N: usize>: Clone + Debug + Send + 'static {
    /// Values that the backward pass needs besides the inputs.
    type Saved: Clone + Debug + Send + 'static;

    fn forward(&self, inputs: &[FloatTensor<B>; N]) -> (FloatTensor<B>, Self::Saved);

    /// The gradient by every input, from that by the output; `None` where there is none to tell
    /// Burn of.
    fn backward(
        &self,
        inputs: &[FloatTensor<B>; N],
        saved: &Self::Saved,
        gradient: &FloatTensor<B>,
    ) -> [Option<FloatTensor<B>>; N];
}

/// A backend that fused operations are written for.
pub trait Executor: Backend {
    /// This backend's tensor inside `kind`.
    ///
    /// # Panics
    /// If the tensor is another backend's.
    fn own(kind: DispatchTensorKind) -> BackendTensor<Self>;

    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    fn tensor<const D: usize>(tensor: FloatTensor<Self>) -> Tensor<D>;

    fn tracked<const D: usize>(tensor: FloatTensor<Autodiff<Self>>) -> Tensor<D>;
}

impl Executor for Flex {
    fn own(kind: DispatchTensorKind) -> BackendTensor<Self> {
        match kind {
            DispatchTensorKind::Flex(tensor) => tensor,
            other => unreachable!("this operation is the CPU's, not one of {other:?}"),
        }
    }

    fn contiguous(tensor: FlexTensor) -> FlexTensor {
        tensor.to_contiguous()
    }

    fn tensor<const D: usize>(tensor: FlexTensor) -> Tensor<D> {
        Tensor::from_primitive::<Self>(tensor)
    }

    fn tracked<const D: usize>(tensor: FloatTensor<Autodiff<Self>>) -> Tensor<D> {
        Tensor::from_primitive::<Autodiff<Self>>(tensor)
    }
}

impl Executor for Cube {
    fn own(kind: DispatchTensorKind) -> BackendTensor<Self> {
        match kind {
            DispatchTensorKind::Cube(tensor) => tensor,
            other => unreachable!("this operation is a GPU's, not one of {other:?}"),
        }
    }

    fn contiguous(tensor: FloatTensor<Cube>) -> FloatTensor<Cube> {
        burn_cubecl::kernel::into_contiguous(tensor)
    }

    fn tensor<const D: usize>(tensor: FloatTensor<Cube>) -> Tensor<D> {
        Tensor::from_primitive::<Self>(tensor)
    }

    fn tracked<const D: usize>(tensor: FloatTensor<Autodiff<Self>>) -> Tensor<D> {
        Tensor::from_primitive::<Autodiff<Self>>(tensor)
    }
}

/// Numbers that are worth a thread's while.
pub const PART: usize = 1 << 14;

/// `true` if `device` is the CPU.
pub fn is_cpu(device: &Device) -> bool {
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

/// `operation` of `inputs`.
///
/// # Panics
/// If they are not tensors of the operation's backend.
pub fn apply<B: Executor, O: Fused<B, N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> Tensor<D> {
    let is_tracked = |input: &DispatchTensor| input.autodiff != DispatchAutodiffContext::Disabled;
    if !inputs.iter().any(is_tracked) {
        let inputs = inputs.map(|input| B::contiguous(B::own(input.kind).float()));
        return B::tensor(operation.forward(&inputs).0);
    }
    let inputs = inputs.map(tracked::<B>);
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| B::contiguous(input.into_primitive()));
    let (output, saved) = operation.forward(&inputs);
    let state = State { operation, inputs, saved };
    let step = Step::<B, O>(std::marker::PhantomData);
    let output = match step.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    B::tracked(output)
}

/// The backend's tensor behind `tensor`, whether its gradient is taken or not.
pub fn primitive<B: Executor>(tensor: DispatchTensor) -> FloatTensor<B> {
    B::contiguous(tracked::<B>(tensor).into_primitive())
}

/// A GPU's tensor of whole numbers.
pub fn int_primitive(tensor: DispatchTensor) -> IntTensor<Cube> {
    burn_cubecl::kernel::into_contiguous(Cube::own(tensor.kind).int())
}

/// An input as Burn's autodiff knows it, a constant if it did not.
fn tracked<B: Executor>(input: DispatchTensor) -> FloatTensor<Autodiff<B>> {
    match input.kind {
        DispatchTensorKind::Autodiff(input) => B::own(*input).autodiff(),
        kind => <FloatTensor<Autodiff<B>>>::new(B::own(kind).float()),
    }
}

#[derive(Clone, Debug)]
struct State<O, S, T, const N: usize> {
    operation: O,
    inputs: [T; N],
    saved: S,
}

#[derive(Debug)]
struct Step<B, O>(std::marker::PhantomData<(B, O)>);

impl<B: Executor, O: Fused<B, N>, const N: usize> Backward<B, N> for Step<B, O> {
    type State = State<O, O::Saved, FloatTensor<B>, N>;

    fn backward(
        self,
        step: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = B::contiguous(gradients.consume::<B>(&step.node));
        let State { operation, inputs, saved } = step.state;
        let by_input = operation.backward(&inputs, &saved, &gradient);
        for (parent, gradient) in step.parents.into_iter().zip(by_input) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}
