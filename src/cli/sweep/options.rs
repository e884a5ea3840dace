//! Options of both kinds of sweeps: the files that they write, and the part of the runs that they train.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use confab::base::file::is_same;
use confab::report::sweep::MAX_RUNS;

use super::outcomes::is_plot;
use crate::cli::{files, terminal};

/// Size of the picture of curves, in pixels.
pub const PLOT_SIZE: (u32, u32) = (760, 640);

pub fn path(matches: &ArgMatches, name: &str) -> Option<PathBuf> {
    matches.get_one::<PathBuf>(name).cloned()
}

/// True if the user gave a flag that has a default.
pub fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// Part of the runs that is trained: number and count of parts; all of them without `--shard`.
#[derive(Clone, Copy)]
pub struct Shard(Option<(usize, usize)>);

impl Shard {
    /// Reads `I/N`, from 1.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let parts =
            typed.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        let part = parts.filter(|(at, of)| (1..=*of).contains(at) && *of <= MAX_RUNS);
        part.map(|part| Self(Some(part))).ok_or_else(|| {
            format!("a part and their number are expected, as 1/8, up to {MAX_RUNS} parts")
        })
    }

    pub fn of(matches: &ArgMatches) -> Self {
        matches.get_one::<Self>("shard").copied().unwrap_or(Self(None))
    }

    /// Its part of `runs`, which are in the order of their sizes, so that each part has some of each; `None`, which is said,
    /// if it has none.
    pub fn part<T>(self, runs: Vec<T>) -> Option<Vec<T>> {
        let all = runs.len();
        let Self(Some((at, of))) = self else { return Some(runs) };
        let part: Vec<T> = runs.into_iter().skip(at - 1).step_by(of).collect();
        if part.is_empty() {
            terminal::report(format_args!("Nothing to do: the sweep has {all} runs only"));
        }
        (!part.is_empty()).then_some(part)
    }
}

/// Files that a sweep writes.
pub struct Files {
    pub out: PathBuf,
    pub plot: PathBuf,
}

impl Files {
    pub fn of(matches: &ArgMatches, shard: Shard) -> Self {
        let out = path(matches, "out").unwrap_or_else(|| match shard.0 {
            Some((at, of)) => format!("sweep-{at}-of-{of}.jsonl").into(),
            None => "sweep.jsonl".into(),
        });
        let plot = path(matches, "plot").unwrap_or_else(|| plot_beside(&out));
        Self { out, plot }
    }

    /// The file to which a run under way is saved: of several at once, that of the run's number.
    pub fn part(&self, number: Option<usize>) -> PathBuf {
        let mut name = self.out.as_os_str().to_owned();
        name.push(number.map_or(".part".into(), |number| format!(".{number}.part")));
        name.into()
    }
}

/// The curves beside the outcomes: a file that is free, or a sweep's curves already.
fn plot_beside(out: &Path) -> PathBuf {
    let is_free =
        |name: &Path| !is_same(name, out) && (name.symlink_metadata().is_err() || is_plot(name));
    files::free_name(&out.with_extension("svg"), is_free)
}
