//! `confab bench --against`: another build of the program, measured in turn with this one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, value_parser};
use confab::report::Shape;
use serde::{Deserialize, Serialize};

use crate::cli::{knobs, terminal};

pub fn args() -> [Arg; 2] {
    [
        Arg::new("against")
            .long("against")
            .value_name("PROGRAM")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with_all(["python", "stores"])
            .help("another build of confab: measures both in turn, and prints how many times as fast this one is"),
        Arg::new("turns")
            .long("turns")
            .value_name("N")
            .value_parser(value_parser!(u32).range(1..=100))
            .default_value("3")
            .requires("against")
            .help("turns whose median is taken"),
    ]
}

/// Row of `confab bench --json`, with the fields that are compared.
#[derive(Clone, Deserialize)]
struct Row {
    size: String,
    kind: String,
    shape: Shape,
    time: Time,
    characters_per_s: f64,
}

#[derive(Clone, Deserialize)]
struct Time {
    step: f64,
}

/// Speed of this program as a multiple of the other's: median, least and most of all turns.
#[derive(Serialize)]
struct Ratio {
    median: f64,
    least: f64,
    most: f64,
}

#[derive(Serialize)]
struct Compared {
    size: String,
    kind: String,
    shape: Shape,
    steps_per_s: Ratio,
    characters_per_s: Ratio,
}

/// Measures each size on each device with this program and with `other`, and prints ratios.
pub fn run(matches: &ArgMatches, other: &Path) -> Result<()> {
    let this = std::env::current_exe().context("finding this program's file")?;
    let all = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
    let rounds = matches.get_one::<u32>("rounds").map_or(7, |rounds| *rounds);
    let turns = matches.get_one::<u32>("turns").map_or(3, |turns| *turns);
    let parts = knobs::given_of_model(matches);
    let mut rows = Vec::new();
    for device in all("device") {
        for preset in all("preset") {
            let measure = |program: &Path| measure(program, preset, device, rounds, &parts);
            let pairs: Vec<[Vec<Row>; 2]> = (0..turns)
                .map(|turn| {
                    // Each is the first of its turn as often as the other.
                    let is_first = turn % 2 == 0;
                    let [first, second] = if is_first { [&this, other] } else { [other, &this] };
                    let [first, second] = [measure(first)?, measure(second)?];
                    Ok(if is_first { [first, second] } else { [second, first] })
                })
                .collect::<Result<_>>()?;
            rows.extend(compare(&pairs));
        }
    }
    let mut out = terminal::output();
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    writeln!(out, "Times as fast as {}: median of {turns} turns (least to most)", other.display())?;
    writeln!(out, "size   device batch × seq              steps              writing")?;
    for Compared { size, kind, shape, steps_per_s, characters_per_s } in rows {
        let shape = format!("{} × {}", shape.batch, shape.seq);
        let [steps, writing] = [steps_per_s, characters_per_s]
            .map(|Ratio { median, least, most }| format!("{median:.2} ({least:.2} to {most:.2})"));
        writeln!(out, "{size:<6} {kind:<6} {shape:>11} {steps:>20} {writing:>20}")?;
    }
    Ok(())
}

/// The rows that `program bench` prints.
fn measure(
    program: &Path,
    preset: &str,
    device: &str,
    rounds: u32,
    parts: &[String],
) -> Result<Vec<Row>> {
    let named = || format!("measuring {preset} on {device} with {}", program.display());
    let run = Process::new(program)
        .args(["bench", "--json", "--python", "", "--preset", preset, "--device", device])
        .args(["--rounds", &rounds.to_string()])
        .args(parts)
        .stdin(Stdio::null())
        .output()
        .with_context(named)?;
    if !run.status.success() {
        let errors = String::from_utf8_lossy(&run.stderr);
        let said = errors.lines().find(|line| !line.is_empty()).unwrap_or("it said nothing");
        bail!("{}: {said}", named());
    }
    serde_json::from_slice(&run.stdout)
        .with_context(|| format!("{}: its rows are no rows of `confab bench --json`", named()))
}

/// The ratios of the rows that both programs have, of turns of this program and the other.
fn compare(turns: &[[Vec<Row>; 2]]) -> Vec<Compared> {
    let Some([first, _]) = turns.first() else { return Vec::new() };
    let ratios = |row: &Row| {
        let find = |rows: &[Row]| {
            let is_it = |other: &&Row| {
                (&other.size, &other.kind, other.shape) == (&row.size, &row.kind, row.shape)
            };
            rows.iter().find(is_it).cloned()
        };
        let pairs: Vec<(Row, Row)> =
            turns.iter().filter_map(|[this, other]| find(this).zip(find(other))).collect();
        let steps = pairs.iter().map(|(this, other)| other.time.step / this.time.step);
        let writing =
            pairs.iter().map(|(this, other)| this.characters_per_s / other.characters_per_s);
        Some(Compared {
            size: row.size.clone(),
            kind: row.kind.clone(),
            shape: row.shape,
            steps_per_s: Ratio::of(steps.collect())?,
            characters_per_s: Ratio::of(writing.collect())?,
        })
    };
    first.iter().filter_map(ratios).collect()
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let [least, most] = [*ratios.first()?, *ratios.last()?];
        let middle = ratios.len() / 2;
        let median = match ratios.len() % 2 {
            1 => ratios[middle],
            _ => f64::midpoint(ratios[middle - 1], ratios[middle]),
        };
        Some(Self { median, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(step: f64, characters_per_s: f64) -> Vec<Row> {
        let shape = Shape { batch: 32, seq: 64 };
        let (size, kind) = ("1.7k".to_owned(), "cpu".to_owned());
        vec![Row { size, kind, shape, time: Time { step }, characters_per_s }]
    }

    #[test]
    fn ratios_are_of_each_turn() {
        let turns = [
            [rows(0.5, 300.0), rows(1.0, 100.0)],
            [rows(1.0, 200.0), rows(1.0, 100.0)],
            [rows(1.0, 100.0), rows(4.0, 100.0)],
        ];
        let compared = compare(&turns);
        let [Compared { steps_per_s, characters_per_s, .. }] = &compared[..] else {
            panic!("one row")
        };
        assert_eq!((steps_per_s.median, steps_per_s.least, steps_per_s.most), (2.0, 1.0, 4.0));
        assert_eq!(characters_per_s.median, 2.0);
        assert_eq!(Ratio::of(vec![1.0, 3.0]).unwrap().median, 2.0);
        assert!(Ratio::of(Vec::new()).is_none());
    }

    #[test]
    fn a_row_that_one_lacks_is_left_out() {
        assert!(compare(&[[rows(1.0, 1.0), Vec::new()]]).is_empty());
    }
}
