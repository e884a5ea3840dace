//! Parameters as the tensors of another program.

use crate::arch::Layout;
use crate::checkpoint::Checkpoint;
use crate::config::ModelConfig;
use crate::import::Family;

/// A tensor by its whole name.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The tensors in which `family` keeps a model, in the order of its parts. Biases are zeros where the layout has them
/// and the model not.
pub fn tensors(of: &Checkpoint, family: &Family, has_biases: bool) -> Vec<Tensor> {
    let vocab_size = of.tokenizer.vocab_size();
    let (own, weights) = (Layout::new(&of.config.model, vocab_size), of.weights());
    // Gates that are all 1 have no place, nor need of one.
    let model = ModelConfig { bias: has_biases, head_gates: false, ..of.config.model.clone() };
    let mut out: Vec<Tensor> = Vec::new();
    for parameter in Layout::new(&model, vocab_size).parameters() {
        let (source, shape) = (family.source(parameter.name()), parameter.shape());
        let name = family.full_name(&source.name);
        let at = out.iter().position(|tensor| tensor.name == name).unwrap_or_else(|| {
            let shape = source.tensor_shape(&shape);
            let values = vec![0.0; shape.iter().product()];
            out.push(Tensor { name, shape, values });
            out.len() - 1
        });
        if let Some(found) = own.find(parameter.name()) {
            source.write(&weights[found.range.clone()], &shape, &mut out[at].values);
        }
    }
    out
}
