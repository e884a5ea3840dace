//! Runs with the records that a command needs.

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use confab::learn::Trainer;

/// A run that has records: its own, or those of `--as-task`.
pub fn load(matches: &ArgMatches) -> Result<Trainer> {
    let trainer = super::files::load_run(matches)?;
    if let Some(task) = super::knobs::as_task(matches)? {
        return trainer.with_task(task).context("giving the model the records of --as-task");
    }
    ensure!(
        !trainer.task.is_none(),
        "this model is from elsewhere and brought no records; name a task that it can read with --as-task, look into it with `confab inspect --what`, or let it write with `confab sample`"
    );
    Ok(trainer)
}
