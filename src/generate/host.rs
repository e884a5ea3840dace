//! A model read back to the host.

use burn::tensor::ExecutionError;

use crate::host::HostModel;
use crate::kernel::transfer::floats;
use crate::model::Model;

/// A model on the host that takes the place of a run's newest, and its step.
pub type Shown = (usize, HostModel);

/// Copies a model to the host.
///
/// # Errors
/// If the device failed.
pub async fn read_back(model: &Model) -> Result<HostModel, ExecutionError> {
    let flat = floats(model.parameters.clone().into_data_async().await?);
    Ok(HostModel::new(&model.config, &model.layout, flat).remember(&model.bank))
}
