//! `confab bench --decode`: tokens a second of large models, by how their matrices are held.

use std::io::Write;

use anyhow::{Result, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};
use confab::bench::{DecodeRow, DecodeShape};
use confab::device::cpu_limits;

/// Turns of each format.
const TURNS: usize = 5;

pub fn arg() -> Arg {
    Arg::new("decode")
        .long("decode")
        .value_name("SHAPE,…")
        .value_parser(PossibleValuesParser::new(DecodeShape::NAMES))
        .value_delimiter(',')
        .num_args(0..=1)
        .default_missing_value("gpt2")
        .help("measure instead how fast models of these shapes write on the CPU with matrices of 32, 16, 8 and 4 bits")
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let names = matches.get_many::<String>("decode").into_iter().flatten();
    let shapes: Vec<DecodeShape> = names.filter_map(|name| DecodeShape::parse(name)).collect();
    let (mut out, mut rows) = (crate::cli::terminal::output(), Vec::new());
    for shape in shapes {
        let (takes, free) = (shape.bytes(), cpu_limits().total);
        ensure!(
            takes <= free,
            "measuring {} takes {} MB of memory, of which {} are free: end other programs, or measure a smaller shape",
            shape.name(),
            takes / 1_000_000,
            free / 1_000_000,
        );
        rows.extend(shape.measure(TURNS));
    }
    if matches.get_flag("json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "shape          parameters  threads  weights      bytes  tokens/s  × f32 (least to most)"
    )?;
    rows.iter().try_for_each(|row| write_row(&mut out, row))
}

fn write_row(out: &mut impl Write, row: &DecodeRow) -> Result<()> {
    let [least, median, most] = row.against_f32;
    writeln!(
        out,
        "{:<14} {:>10} {:>8}  {:<7} {:>10} {:>9.1}  {median:.2} ({least:.2} to {most:.2})",
        row.shape, row.parameters, row.threads, row.weights, row.bytes, row.tokens_per_s,
    )?;
    Ok(())
}
