//! Files that several subcommands read and write.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ArgMatches;
use confab::base::file;
use confab::base::file::FileLimit;
use confab::checkpoint::{Checkpoint, CheckpointError, LENGTH_BYTES, Summary, check_room_in_place};
use confab::config::{RunConfig, TrainConfig};
use confab::device::{OpenDevice, cpu_limits};
use confab::host::{ParameterSource, Weights};
use confab::learn::Trainer;
use confab::task::Task;

/// Largest file of a model, where there is memory for it.
const MAX_MODEL_BYTES: u64 = 16 << 30;

pub fn read(file: &Path, of: FileLimit) -> Result<Vec<u8>> {
    file::read_file(file, of).with_context(|| format!("reading {}", file.display()))
}

/// The bytes of a checkpoint, or of a file of a model from elsewhere.
pub fn read_bytes(file: &Path) -> Result<Vec<u8>> {
    let max_bytes = MAX_MODEL_BYTES.min(cpu_limits().total);
    read(file, FileLimit { name: "a model", max_bytes })
}

/// Reads the header of a safetensors file; `None` for any other, and for one that cannot be read. Whoever opens that
/// next reports the error.
pub fn read_header(file: &Path) -> Option<Vec<u8>> {
    if !file.is_file() {
        return None; // a FIFO would be waited for
    }
    let mut file = File::open(file).ok()?;
    let mut start = [0; LENGTH_BYTES];
    file.read_exact(&mut start).ok()?;
    let mut header = Vec::new();
    file.take(Summary::header_len(start)? as u64).read_to_end(&mut header).ok()?;
    Some(header)
}

pub fn write(out: &Path, bytes: &[u8]) -> Result<()> {
    file::replace_file(out, bytes).with_context(|| writing(out))
}

/// Writes a checkpoint, once its bytes have been read back: one that could not be loaded takes no file's place.
pub fn save<W: ParameterSource>(checkpoint: &Checkpoint<W>, out: &Path) -> Result<()> {
    let bytes = checkpoint.to_bytes().with_context(|| writing(out))?;
    Checkpoint::check(&bytes).with_context(|| {
        format!("{}: what would be written could not be read again, so nothing was", writing(out))
    })?;
    write(out, &bytes)
}

pub fn writing(out: &Path) -> String {
    format!("writing {}", out.display())
}

fn check_writable(out: &Path) -> Result<()> {
    file::check_writable(out).with_context(|| writing(out))
}

/// Refuses a folder in which no file can be made, or that cannot be made itself.
pub fn check_folder(folder: &Path) -> Result<()> {
    let making = || format!("making the folder {}", folder.display());
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|part| part.symlink_metadata().is_err()).collect();
    let missing = missing.into_iter().filter(|part| !part.as_os_str().is_empty());
    let made = std::fs::create_dir_all(folder).with_context(making);
    let tried = made.and_then(|()| check_writable(&folder.join("step0.safetensors")));
    for made in missing {
        let _ = std::fs::remove_dir(made); // the last that was made first
    }
    tried
}

/// A file, if it was given, and what names it to the user: its flag.
pub type Named<'a> = (&'a str, Option<&'a Path>);

/// Refuses files that a command would both read and write, or write twice, or that cannot be written: before hours of
/// training.
pub fn check(read: &[Named], written: &[Named]) -> Result<()> {
    for (at, (flag, one)) in written.iter().enumerate() {
        for (other_flag, other) in read.iter().chain(&written[..at]) {
            if let (Some(one), Some(other)) = (one, other)
                && file::is_same(one, other)
            {
                bail!(
                    "{other_flag} {} and {flag} {} are one file; name another for one of them",
                    other.display(),
                    one.display()
                );
            }
        }
    }
    written.iter().filter_map(|(_, file)| *file).try_for_each(check_writable)
}

/// The first of the names that [`numbered`] makes which `is_free`.
pub fn free_name(out: &Path, is_free: impl Fn(&Path) -> bool) -> PathBuf {
    let mut names = (1..).map(|number| numbered(out, number));
    names.find(|name| is_free(name)).unwrap_or_else(|| out.to_owned())
}

/// `out.svg`, `out-2.svg`, `out-3.svg`
pub fn numbered(out: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return out.to_owned();
    }
    let mut name = out.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(ending) = out.extension() {
        name.push(".");
        name.push(ending);
    }
    out.with_file_name(name)
}

pub fn load_checkpoint(file: &Path) -> Result<Checkpoint> {
    let run = Checkpoint::from_bytes(&read_bytes(file)?).with_context(|| loading(file))?;
    tell_lost_text(&run.config, file);
    Ok(run)
}

/// Says that a run's text is not at hand, and so nothing of its task is.
fn tell_lost_text(config: &RunConfig, file: &Path) {
    if let Some(text) = config.task.lost_text() {
        super::terminal::report(format_args!(
            "{} was trained on {}, which is not there: its records are left out",
            file.display(),
            text.path
        ));
    }
}

/// A run to look at, whose weights stay in the bits that they have in the file, and its task.
pub fn open_checkpoint(file: &Path) -> Result<(Checkpoint<Weights>, Task)> {
    let bytes = read_bytes(file)?;
    let open = || {
        let run = Checkpoint::open(bytes)?;
        let task = Trainer::task_of(&run)?;
        check_room_in_place(&run.config, run.tokenizer.vocab_size(), &cpu_limits())?;
        Ok::<_, CheckpointError>((run, task))
    };
    let opened = open().with_context(|| loading(file))?;
    tell_lost_text(&opened.0.config, file);
    Ok(opened)
}

fn loading(file: &Path) -> String {
    format!("loading the checkpoint {}", file.display())
}

/// The run in the file that the command line names, on the device it names.
pub fn load_run(matches: &ArgMatches) -> Result<Trainer> {
    let file = matches.get_one::<PathBuf>("checkpoint").context("no checkpoint was named")?;
    load_run_of(file, matches)
}

/// The run in `file`, on the device that the command line names.
pub fn load_run_of(file: &Path, matches: &ArgMatches) -> Result<Trainer> {
    let checkpoint = load_checkpoint(file)?;
    let opened = super::device::open_to_look(matches, checkpoint.parameters.len())?;
    resume(checkpoint, opened, file)
}

/// The run of a checkpoint that was in `file`, on a device.
pub fn resume(checkpoint: Checkpoint, opened: OpenDevice, file: &Path) -> Result<Trainer> {
    Trainer::resume(checkpoint, opened.device, &opened.limits).with_context(|| loading(file))
}

/// The words after "it has done so many steps" of a run that is over: the setting to raise.
pub fn how_to_go_on(train: &TrainConfig, step: usize) -> &'static str {
    match step < train.steps {
        true => ", and was accurate enough to stop; give --stop-at a larger number, or 0",
        false => "; give --steps a larger number",
    }
}
