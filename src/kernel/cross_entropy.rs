//! Cross-entropy: of every token, and of a batch.

mod gpu;

use std::f32::consts::{LN_2, LOG2_E};
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::fused;
use super::fused::{Fused, PART};
use crate::base::lanes::{exp2, wide};
use crate::base::parallel::for_each;

/// −ln p(target) of every token, in nats.
///
/// # Shapes
/// `logits`: `[batch, seq, vocab]`; `targets` and the result: `[batch, seq]`
pub fn token_losses(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<2> {
    let logits_of = logits.device();
    let logits = [logits.into_dispatch()];
    if fused::is_cpu(&logits_of) {
        let targets = targets.into_data().iter::<u32>().map(|target| target as usize).collect();
        fused::apply(CrossEntropy { targets }, logits)
    } else {
        fused::apply(gpu::CrossEntropy::new(targets), logits)
    }
}

/// [`token_losses`] in plain tensor operations.
pub fn reference(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<2> {
    let log_p = log_softmax(logits, 2);
    log_p.gather(2, targets.unsqueeze_dim::<3>(2)).squeeze_dim::<2>(2).neg() // [batch, seq]
}

/// Weighted mean of `losses`, in nats per character, times `share`. `whole` is the sum of the weights in the batch whose
/// rows these are. A GPU is given whole batches, and adds their weights itself: a number that changes from step to step
/// would be a new buffer in each. Rows of a larger batch have [`mean_of_part`] there.
///
/// # Shapes
/// `losses` and `weights`: `[batch, seq]`; the result: `[1]`
pub fn mean_loss(
    losses: Tensor<2>,
    weights: Tensor<2>,
    whole: f64,
    share: f64,
) -> Tensor<1> {
    if fused::is_cpu(&losses.device()) {
        mean_reference(losses, weights, whole, share)
    } else {
        fused::apply(gpu::Mean::new(weights, share), [losses.into_dispatch()])
    }
}

/// [`mean_loss`] in plain tensor operations.
pub fn mean_reference(
    losses: Tensor<2>,
    weights: Tensor<2>,
    whole: f64,
    share: f64,
) -> Tensor<1> {
    (losses * weights).sum().mul_scalar(share / whole)
}

/// [`mean_loss`] of rows of a larger batch on a GPU, for which the number that changes is written into a tensor.
///
/// # Shapes
/// Shapes of [`mean_loss`].
#[cfg(feature = "cli")]
pub fn mean_of_part(
    losses: Tensor<2>,
    weights: Tensor<2>,
    whole: f64,
    share: f64,
) -> Tensor<1> {
    let scale = Tensor::from_data([(share / whole) as f32], &losses.device());
    (losses * weights).sum() * scale
}

#[derive(Clone, Debug)]
struct CrossEntropy {
    targets: Arc<[usize]>, // [batch * seq]
}

impl Fused<Flex, 1> for CrossEntropy {
    /// To base 2, the logarithm of the sum of every token's `e^logit`: `[batch * seq]`.
    type Saved = Vec<f32>;

    fn forward(&self, [logits]: &[FlexTensor; 1]) -> (FlexTensor, Vec<f32>) {
        let [batch, seq, vocab] = fused::dims(logits);
        let part = PART.div_ceil(vocab);
        let mut losses = vec![0.0; batch * seq];
        let mut log_sums = losses.clone();
        let inputs = fused::values(logits).chunks(part * vocab).zip(self.targets.chunks(part));
        let outputs = losses.chunks_mut(part).zip(log_sums.chunks_mut(part));
        for_each(inputs.zip(outputs).collect(), |_, ((logits, targets), (losses, log_sums))| {
            let mut powers = vec![0.0; vocab];
            let tokens = logits.chunks_exact(vocab).zip(targets);
            for ((logits, target), (loss, log_sum)) in tokens.zip(losses.iter_mut().zip(log_sums)) {
                let largest =
                    logits.iter().fold(f32::NEG_INFINITY, |a, b| if a > *b { a } else { *b });
                shares(logits, largest * LOG2_E, 1.0, &mut powers);
                *log_sum = largest * LOG2_E + powers.iter().sum::<f32>().log2();
                *loss = *log_sum * LN_2 - logits[*target];
            }
        });
        (fused::tensor(losses, [batch, seq]), log_sums)
    }

    fn backward(
        &self,
        [logits]: &[FlexTensor; 1],
        log_sums: &Vec<f32>,
        by_loss: &FlexTensor,
    ) -> [Option<FlexTensor>; 1] {
        let shape = fused::dims::<3>(logits);
        let [_, _, vocab] = shape;
        let part = PART.div_ceil(vocab);
        let mut by_logit = vec![0.0; shape.iter().product()];
        let inputs = fused::values(logits).chunks(part * vocab).zip(self.targets.chunks(part));
        let of_token = log_sums.chunks(part).zip(fused::values(by_loss).chunks(part));
        let parts = by_logit.chunks_mut(part * vocab).zip(inputs).zip(of_token);
        for_each(parts.collect(), |_, ((by_logit, (logits, targets)), (log_sums, by_loss))| {
            let tokens = logits.chunks_exact(vocab).zip(targets).zip(log_sums.iter().zip(by_loss));
            for (by_logit, ((logits, target), (log_sum, by_loss))) in
                by_logit.chunks_exact_mut(vocab).zip(tokens)
            {
                shares(logits, *log_sum, *by_loss, by_logit);
                by_logit[*target] -= by_loss;
            }
        });
        [Some(fused::tensor(by_logit, shape))]
    }
}

wide! {
    /// `scale e^logit / 2^log_sum` of every logit.
    fn shares(logits: &[f32], log_sum: f32, scale: f32, out: &mut [f32]) {
        for (out, logit) in out.iter_mut().zip(logits) {
            *out = scale * exp2::<FMA>(logit * LOG2_E - log_sum);
        }
    }
}
