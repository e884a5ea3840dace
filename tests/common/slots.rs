//! Stores of random slots, and tensors to ask them with.

use burn::tensor::{Device, Tensor, TensorData};
use confab::memory::{Exact, NewSlot, Origin, Shape, Store};

use super::{apart, numbers};

pub fn tensor<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[track_caller]
pub fn near(got: &[f32], expected: &[f32], within: f32, what: &str) {
    let far = apart(got, expected);
    assert!(far <= within, "{what}: {far} apart, {got:?} against {expected:?}");
}

/// Slots with random keys of length 1.
pub fn store(shape: Shape, slots: usize) -> Exact {
    let mut store = Exact::new(shape);
    let slot = |at: usize| {
        let mut key = numbers(shape.d_key, 7 + at as u32);
        let length = key.iter().map(|x| x * x).sum::<f32>().sqrt();
        key.iter_mut().for_each(|x| *x /= length);
        let value = numbers(shape.d_value, 1007 + at as u32);
        NewSlot { key, value, origin: Origin::default() }
    };
    store.insert(&(0..slots).map(slot).collect::<Vec<_>>()).unwrap();
    store
}
