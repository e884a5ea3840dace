//! The loss of a clone against its teacher.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use crate::data::Batch;
use crate::kernel::dropout::Dropout;
use crate::learn::{Loss, Objective, feedback};
use crate::model::{Gpt, Model, Output, PassOptions};

/// KL(teacher ‖ clone), and the errors of the layers that were replaced.
pub(super) struct Imitation {
    teacher: Model,
    /// The teacher for inference, whose weights stay as they are.
    gpt: Gpt,
    /// Layers whose outputs are compared.
    layers: Vec<usize>,
}

impl Imitation {
    pub(super) fn new(teacher: Model, layers: Vec<usize>) -> Self {
        let gpt = teacher.gpt();
        Self { teacher, gpt, layers }
    }

    /// The teacher's output on the batch that the clone reads.
    fn teach(&self, batch: &Batch) -> Output {
        let batch = Batch {
            inputs: batch.inputs.clone().inner(),
            forgotten: batch.forgotten.clone().map(Tensor::inner),
            ..batch.clone()
        };
        let options = PassOptions {
            feedback: feedback(&self.teacher, &batch, Dropout::NONE),
            forgotten: batch.forgotten,
            watched: self.layers.clone(),
            ..PassOptions::default()
        };
        self.gpt.forward(batch.inputs, &options)
    }
}

impl Objective for Imitation {
    fn options(&self, _: Dropout, _: bool) -> PassOptions {
        PassOptions { watched: self.layers.clone(), trains_values: true, ..PassOptions::default() }
    }

    /// Its figures: the KL, the share of tokens that both models agree on, and the error of each layer.
    fn loss(&self, output: Output, batch: &Batch, share: f64) -> Loss {
        let taught = self.teach(batch);
        let weights = batch.weights.clone(); // [batch, seq], 1 where a token counts
        let counted = weights.clone().sum(); // [1]
        let mean = |of_token: Tensor<2>| (of_token * weights.clone()).sum() / counted.clone();
        let by_token = |x: Tensor<3>| x.squeeze_dim::<2>(2);
        let likeliest = |logits: Tensor<3>| logits.argmax(2).squeeze_dim::<2>(2);
        let agree =
            likeliest(taught.logits.clone()).equal(likeliest(output.logits.clone().inner()));
        let log_p = log_softmax(taught.logits, 2).autodiff();
        let apart = log_p.clone() - log_softmax(output.logits, 2);
        let kl = mean(by_token((log_p.exp() * apart).sum_dim(2)));
        let mut figures = vec![kl.clone(), mean(agree.float().autodiff())];
        let mut total = kl;
        for (taught, written) in taught.written.into_iter().zip(output.written) {
            let taught = taught.autodiff();
            let size = mean(by_token(taught.clone().square().mean_dim(2)));
            let far = mean(by_token((written - taught).square().mean_dim(2)));
            let error = far / size.add_scalar(f32::MIN_POSITIVE);
            figures.push(error.clone());
            total = total + error;
        }
        Loss {
            total: total.mul_scalar(share),
            figures: Tensor::cat(figures, 0).inner().mul_scalar(share),
            by_token: None,
            reads: output.reads,
        }
    }
}
