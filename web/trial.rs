//! A trial of how many workers train a model fastest.

use std::time::Duration;

use confab::config::ModelConfig;
use confab::learn::Shard;

/// Steps that are measured alone, and then with all, of which the first does not count.
const STEPS: usize = 4;
/// Steps shorter than this are not worth messages.
const WORTH: Duration = Duration::from_millis(6);

#[derive(Default)]
pub struct Trial {
    /// The model and the size of the batch that were measured.
    of: Option<(ModelConfig, usize)>,
    alone: Vec<Duration>,
    together: Vec<Duration>,
    chosen: Option<usize>,
}

impl Trial {
    /// Workers for the next step, at most `most`.
    pub fn size(&mut self, model: &ModelConfig, shards: &[Shard], most: usize) -> usize {
        let tokens = shards.iter().map(|shard| shard.batch.inputs.dims().iter().product::<usize>());
        let tokens = tokens.sum::<usize>().next_power_of_two();
        if self.of.as_ref().is_none_or(|(of, size)| of != model || *size != tokens) {
            *self = Self { of: Some((model.clone(), tokens)), ..Self::default() };
        }
        if let Some(chosen) = self.chosen {
            return chosen.min(most);
        }
        if self.alone.len() < STEPS || most == 1 {
            return 1;
        }
        let alone = fastest(&self.alone);
        if alone < WORTH {
            self.chosen = Some(1);
        } else if self.together.len() >= STEPS {
            self.chosen = Some(if fastest(&self.together) < alone { most } else { 1 });
        }
        self.chosen.unwrap_or(most)
    }

    /// Notes the time of a step.
    pub fn note(&mut self, workers: usize, time: Duration) {
        let times = if workers == 1 { &mut self.alone } else { &mut self.together };
        if times.len() < STEPS {
            times.push(time);
        }
    }
}

/// The shortest but for the first.
fn fastest(times: &[Duration]) -> Duration {
    times.iter().skip(1).min().copied().unwrap_or_default()
}
