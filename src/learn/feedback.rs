//! Feedback values: the input that each layer gets from the layer above it, for the token before.
//!
//! They come from a separate pass without gradients. Given them, one pass over all tokens at once is exact,
//! forward and backward.

use burn::tensor::{Int, Tensor, TensorData};

use crate::data::{Batch, Inputs};
use crate::host::HostModel;
use crate::kernel::dropout::Dropout;
use crate::kernel::is_cpu;
use crate::kernel::transfer::floats;
use crate::model::{Model, PassOptions};

/// Feedback values of each layer but the last on `batch`: `[batch, seq, d_model]` each; none of a model without
/// feedback.
///
/// On the CPU they come from plain loops, a token at a time. With dropout or forgotten tokens, which the loops
/// do not have, and on a GPU, they take a pass through all blocks for every token.
pub fn feedback(model: &Model, batch: &Batch, dropout: Dropout) -> Vec<Tensor<3>> {
    if !model.config.feeds_back() {
        return Vec::new();
    }
    let is_clean = batch.forgotten.is_none() && dropout.is_none();
    if let Inputs::Tokens(tokens) = &batch.inputs
        && is_clean
        && is_cpu(&model.device())
    {
        return in_loops(model, tokens.clone());
    }
    let is_trained = batch.inputs.device().is_autodiff();
    let inputs = batch.inputs.clone();
    let inputs = if is_trained { inputs.inner() } else { inputs };
    let forgotten = batch.forgotten.clone();
    let forgotten = if is_trained { forgotten.map(Tensor::inner) } else { forgotten };
    let options = PassOptions { forgotten, dropout, ..PassOptions::default() };
    let values = model.gpt().feedback(inputs, &options).into_iter();
    values.map(|values| if is_trained { values.autodiff() } else { values }).collect()
}

/// # Shapes
/// `tokens`: `[batch, seq]`
fn in_loops(model: &Model, tokens: Tensor<2, Int>) -> Vec<Tensor<3>> {
    let ([batch, seq], device) = (tokens.dims(), tokens.device());
    let flat = floats(model.parameters.clone().into_data());
    let host = HostModel::new(&model.config, &model.layout, flat).remember(&model.bank);
    let ids: Vec<u32> = tokens.into_data().iter().collect();
    let by_row: Vec<_> = ids.chunks(seq).map(|ids| host.feedback(ids)).collect();
    let of_layer = |layer: usize| {
        let values: Vec<f32> = by_row.iter().flat_map(|row| row[layer].iter().copied()).collect();
        let d_model = values.len() / (batch * seq);
        Tensor::from_data(TensorData::new(values, [batch, seq, d_model]), &device)
    };
    (0..by_row.first().map_or(0, Vec::len)).map(of_layer).collect()
}
