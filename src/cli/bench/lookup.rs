//! `confab bench --lookup`: how fast the noise codec's table finds the nearest key, and how often it is the one that a scan
//! finds.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use clap::{Arg, ArgMatches, value_parser};
use confab::codec::{Found, Keys, Metric, Table};
use confab::config::CodecConfig;
use serde_json::json;

const QUERIES: usize = 1000;
/// Longest that a scan of the queries takes, in keys compared.
const COMPARED: usize = 100_000_000;

pub fn arg() -> Arg {
    Arg::new("lookup")
        .long("lookup")
        .value_name("KEYS,…")
        .value_parser(value_parser!(u32).range(1..=10_000_000))
        .value_delimiter(',')
        .num_args(0..=1)
        .default_missing_value("100,1000,10000,100000,1000000")
        .help("measure the look-up of the noise codec among so many keys, of 1, 2 and 4 numbers, instead")
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let counts = matches.get_many::<u32>("lookup").into_iter().flatten();
    let mut out = crate::cli::terminal::output();
    let is_json = matches.get_flag("json");
    if !is_json {
        writeln!(out, "numbers      keys  recall@1  table, µs  scan, µs  × scan")?;
    }
    let mut rows = Vec::new();
    for count in counts.map(|count| *count as usize) {
        for numbers in [1, 2, 4] {
            let Row { recall, table, scan } = measure(count, numbers)?;
            let times = scan / table;
            if is_json {
                rows.push(json!({
                    "numbers": numbers, "keys": count, "recall": recall, "table_us": table, "scan_us": scan, "times": times,
                }));
                continue;
            }
            writeln!(
                out,
                "{numbers:>7} {count:>9} {recall:>9.3} {table:>10.2} {scan:>9.1} {times:>7.1}"
            )?;
        }
    }
    if is_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

/// Recall@1 against a scan, and microseconds a query.
struct Row {
    recall: f64,
    table: f64,
    scan: f64,
}

fn measure(count: usize, numbers: usize) -> Result<Row> {
    let config = CodecConfig { numbers, ..CodecConfig::default() };
    let metric = Metric::new(&config);
    let draw = |count, seed| Keys::draw(count, &config, seed).map_err(anyhow::Error::msg);
    let (keys, queries) = (draw(count, 1)?, draw(QUERIES, 2)?);
    let mut table = Table::new(numbers);
    for key in 0..count as u32 {
        table.push(keys.of(key));
    }
    let scanned = QUERIES.min(COMPARED / count).max(10);
    let (near, by_table) = time(QUERIES, |query| table.nearest(&metric, queries.of(query)));
    let (scan, by_scan) = time(scanned, |query| table.scan(&metric, queries.of(query)));
    let right = near.iter().zip(&scan).filter(|(near, scan)| near.cost == scan.cost).count();
    Ok(Row { recall: right as f64 / scanned as f64, table: by_table, scan: by_scan })
}

/// Runs queries 0 to `count` - 1. Returns the points found, and the mean time of a query in microseconds.
fn time(count: usize, find: impl Fn(u32) -> Option<Found>) -> (Vec<Found>, f64) {
    let start = Instant::now();
    let found = (0..count as u32).filter_map(|query| black_box(find(query))).collect();
    (found, start.elapsed().as_secs_f64() * 1e6 / count as f64)
}
