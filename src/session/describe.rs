//! Describes a task before a model of it is made.

use crate::base::random::stream_rng;
use crate::config::{ConfigError, NoiseConfig, RunConfig};
use crate::data::noise::Reading;
use crate::data::{Row, noise};
use crate::protocol::TaskFacts;
use crate::task::{Split, Task};
use crate::tokenizer::Tokenizer;

/// Symbols shown of a training record.
const SHOWN: usize = 160;

pub fn describe(config: &RunConfig) -> Result<TaskFacts, ConfigError> {
    let task = Task::new(&config.task)?;
    let tokenizer = task.tokenizer();
    let is_noisy = config.noise != NoiseConfig::default();
    let reading = if is_noisy { read(config, &task, &tokenizer) } else { Vec::new() };
    Ok(TaskFacts { characters: tokenizer.vocab_size(), longest: task.longest(), reading })
}

fn read(config: &RunConfig, task: &Task, tokenizer: &Tokenizer) -> Vec<(bool, String)> {
    let record = task.draw(Split::Train, SHOWN, &mut stream_rng(0, 0));
    let row = Row::new(&record, tokenizer, SHOWN);
    let mut rng = noise::noise_rng(config.seed, 0);
    let readings = noise::read(&config.noise, &row.ids, tokenizer, &mut rng);
    let shown = |part: &[Reading]| part.iter().map(|reading| reading.shown(tokenizer)).collect();
    let stretches = readings.chunk_by(|a, b| a.is_noise == b.is_noise);
    stretches.map(|part| (part[0].is_noise, shown(part))).collect()
}
