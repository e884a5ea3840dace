//! Files that several subcommands read and write.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use confab::checkpoint::Checkpoint;
use confab::learn::Trainer;

pub fn read_bytes(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("reading {}", file.display()))
}

/// Refuses a file that cannot be written, before hours of training.
pub fn check_writable(out: &Path) -> Result<()> {
    ensure!(!out.is_dir(), "writing {}: it is a folder; name a file in it", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).with_context(|| {
        format!("writing {}: no file can be made in {}", out.display(), folder.display())
    })?;
    Ok(())
}

pub fn load_checkpoint(file: &Path) -> Result<Checkpoint> {
    Checkpoint::from_bytes(&read_bytes(file)?).with_context(|| loading(file))
}

fn loading(file: &Path) -> String {
    format!("loading the checkpoint {}", file.display())
}

/// The run in the file that the command line names, on the device it names.
pub fn load_run(matches: &ArgMatches) -> Result<Trainer> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    load_run_of(file, matches)
}

/// A run that has records, as a model from elsewhere has not.
pub fn load_run_with_records(matches: &ArgMatches) -> Result<Trainer> {
    let trainer = load_run(matches)?;
    ensure!(
        !trainer.task.is_none(),
        "this model is from elsewhere and brought no records; look into it with `confab inspect \
         --what`, or let it write with `confab sample`"
    );
    Ok(trainer)
}

/// The run in `file`, on the device that the command line names.
pub fn load_run_of(file: &Path, matches: &ArgMatches) -> Result<Trainer> {
    let checkpoint = load_checkpoint(file)?;
    let opened = super::device::open_to_look(matches, checkpoint.parameters.len())?;
    Trainer::resume(checkpoint, opened.device, &opened.limits).with_context(|| loading(file))
}
