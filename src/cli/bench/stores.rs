//! `confab bench --stores`: how fast each kind of memory is, and how much of what is near it finds.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, value_parser};
use confab::memory::{StoreBench, StoreRow};

pub fn args() -> [Arg; 2] {
    let stores = Arg::new("stores")
        .long("stores")
        .value_name("SLOTS,…")
        .value_parser(value_parser!(u32).range(100..=100_000_000))
        .value_delimiter(',')
        .num_args(0..=1)
        .default_missing_value("10000,100000,1000000")
        .help("measure memories of these sizes instead: in memory, and in a file of the folder for temporary files");
    let postgres = Arg::new("postgres")
        .long("postgres")
        .value_name("URL")
        .requires("stores")
        .help("a database that may be filled, to measure memories in PostgreSQL too");
    [stores, postgres]
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let sizes: Vec<usize> = matches
        .get_many::<u32>("stores")
        .into_iter()
        .flatten()
        .map(|size| *size as usize)
        .collect();
    ensure!(sizes.is_sorted(), "give the sizes of --stores in ascending order");
    let folder = tempfile::tempdir().context("making a folder for the file")?;
    let postgres = matches.get_one::<String>("postgres").map(String::as_str);
    let bench = StoreBench { sizes: &sizes, folder: folder.path(), postgres };
    let mut out = crate::cli::terminal::output();
    if matches.get_flag("json") {
        let mut rows = Vec::new();
        bench.run(|row| rows.push(row))?;
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "store     keys           slots  inserts/s  queries/s  of 64 at once  recall@10        bytes  × first"
    )?;
    let mut written = Ok(());
    bench.run(|row| {
        if written.is_ok() {
            written = write_row(&mut out, &row);
        }
    })?;
    Ok(written?)
}

fn write_row(out: &mut impl Write, row: &StoreRow) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<9} {:<9} {:>10} {:>10.0} {:>10.0} {:>14.0} {:>10.3} {:>12} {:>8.2}",
        row.store,
        row.keys,
        row.slots,
        row.inserts_per_s,
        row.queries_per_s,
        row.batched_per_s,
        row.recall,
        row.bytes,
        row.cost,
    )
}
