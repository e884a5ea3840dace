//! The learning rate over a run.

use crate::config::TrainConfig;

/// Learning rate of `step`, counted from 0: linear warm-up to `lr`, then half a cosine down to
/// `min_lr` at the run's last step (Loshchilov & Hutter 2016), `min_lr` ever after.
pub fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    if step < config.warmup {
        return config.lr * (step + 1) as f64 / (config.warmup + 1) as f64;
    }
    let length = config.steps.saturating_sub(config.warmup).max(1);
    let share = ((step - config.warmup) as f64 / length as f64).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
    config.min_lr + cosine * (config.lr - config.min_lr)
}
