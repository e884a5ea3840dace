//! The terminal's program, and a small run for it.

use std::path::Path;
use std::process::{Command, Output};

/// Settings of a run that takes no time.
pub const TINY: &[&str] = &[
    "--task",
    "phone",
    "--lines",
    "1",
    "--names",
    "8",
    "--context",
    "96",
    "--batch",
    "4",
    "--val-every",
    "5",
    "--val-batches",
    "1",
    "--device",
    "cpu",
];

/// The program in a folder, to be started.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confab"));
    command.args(args).current_dir(folder);
    command
}

pub fn confab(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// Standard output of a command; panics if the command failed.
pub fn ok(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn train(folder: &Path, more: &[&str]) -> Output {
    confab(folder, &[&["train"], TINY, more].concat())
}

/// Checks that a command is refused with a sentence.
#[track_caller]
pub fn refused(at: &Path, args: &[&str], says: &[&str]) {
    let output = confab(at, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
    assert!(says.iter().all(|part| errors.contains(part)), "{args:?}: {errors} lacks {says:?}");
    assert!(!errors.contains("panicked") && !errors.contains("step 1:"), "{args:?}: {errors}");
}
