//! Check that a device computes what the CPU computes.
//!
//! Some drivers train wrongly without an error, so no GPU is used before it has shown a tiny
//! forward and backward pass to be right, and one in half precision if it has units for that.

use burn::tensor::{Device, ExecutionError, Transaction};

use crate::arch::Layout;
use crate::config::ModelConfig;
use crate::data::{Batch, Row};
use crate::kernel::dropout::Dropout;
use crate::kernel::gpu::client;
use crate::kernel::linear::gpu::half::{Half, LARGE};
use crate::kernel::recall::Mirrors;
use crate::kernel::transfer::{floats, to_device};
use crate::learn::{Likelihood, TrainingPass};
use crate::memory::Bank;
use crate::model::{Model, untrained};
use crate::run::Field;

/// Largest relative difference between a sound device and the CPU, in norm.
const TOLERANCE: f32 = 2e-2;

/// Compares loss and gradient of a one-layer model on `device`, a GPU, with the CPU's.
///
/// # Errors
/// A sentence on how the device differs or failed.
pub async fn check(device: &Device) -> Result<(), String> {
    compare(device, 8, 16).await?;
    if Half::of(&client(device)).is_some() {
        compare(device, LARGE, LARGE).await?;
    }
    Ok(())
}

async fn compare(device: &Device, d_model: usize, context: usize) -> Result<(), String> {
    let cpu = Device::flex();
    let expected = loss_and_gradient(&cpu, d_model, context).await.map_err(|e| e.to_string())?;
    let got = loss_and_gradient(device, d_model, context)
        .await
        .map_err(|e| format!("it failed a tiny training step: {e}"))?;
    let difference =
        norm(expected.iter().zip(&got).map(|(a, b)| a - b)) / norm(expected.iter().copied());
    if difference < TOLERANCE {
        Ok(())
    } else {
        let percent = 100.0 * difference;
        Err(format!("a tiny training step differs from the CPU's by {percent:.0}%"))
    }
}

async fn loss_and_gradient(
    device: &Device,
    d_model: usize,
    context: usize,
) -> Result<Vec<f32>, ExecutionError> {
    let config = ModelConfig { n_layers: 1, n_heads: 2, d_model, context, ..Default::default() };
    let layout = Layout::new(&config, 13);
    let flat = untrained(&config, &layout, 7).into_iter().map(|w| 5.0 * w).collect();
    let (parameters, bank) = (to_device(flat, device), Bank::new(&config));
    let model = Model { config, layout, parameters, bank, mirrors: Mirrors::default() };
    let rows: Vec<Row> = (0..3)
        .map(|row: u32| Row {
            ids: (0..=context as u32).map(|i| (i * i + 5 * row + i * row) % 13).collect(),
            fields: vec![Field::Text; context + 1],
            given: 1,
            targets: None,
        })
        .collect();
    let batch = Batch::new(&rows, context, &device.clone().autodiff());
    let mut pass = TrainingPass::new(&model);
    let loss = pass.forward(&batch, &Likelihood::default(), Dropout::NONE, 1.0);
    pass.backward(&loss);
    let read = Transaction::default().register(loss.figures).register(pass.into_gradient());
    let read = read.execute_async().await?;
    Ok(read.into_iter().flat_map(floats).collect())
}

/// Euclidean norm; infinite if any value is not a number.
fn norm(values: impl Iterator<Item = f32>) -> f32 {
    let sum: f32 = values.map(|value| value * value).sum();
    if sum.is_nan() { f32::INFINITY } else { sum.sqrt() }
}
