//! `confab inspect --what …`: an analysis as text, JSON or pictures.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use confab::codec;
use confab::figure::{Content, Figure, Grid, Table, show};
use confab::interp::lab::{self, AnalysisJob, Snapshot};
use confab::run::{AnalysisRequest, Intervention};
use indicatif::ProgressBar;

/// A grid of more columns is not written out at the terminal; its largest values are.
const MAX_COLUMNS: usize = 24;
const LISTED: usize = 12;

pub fn args() -> Vec<Arg> {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).requires("what").help(help)
    };
    let number = |name: &'static str, help: &'static str| {
        text(name, "N", help).value_parser(value_parser!(usize))
    };
    let file = |name: &'static str, help: &'static str| {
        text(name, "FILE", help).value_parser(value_parser!(PathBuf))
    };
    let names = lab::entries()
        .chain(codec::entries())
        .map(|entry| clap::builder::PossibleValue::new(&*entry.id).help(&*entry.label));
    vec![
        Arg::new("what")
            .long("what")
            .value_name("ANALYSIS")
            .value_parser(PossibleValuesParser::new(names))
            .help("analysis to run"),
        text("other", "PROMPT", "second prompt, as long as the first; default: the prompt with one token changed"),
        number("position", "position in the prompt, from 0; default: the last"),
        text("target", "TOKEN", "target token; default: the prompt's next token, or the likeliest")
            .alias("character"),
        text("contrast", "TOKEN", "contrast token; default: the mean over all").alias("against"),
        text("head", "L0H0", "head").value_parser(parse_head).default_value("L0H0"),
        number("component", "component of the output vector, from 0"),
        number("layer", "layer with a memory; default: the first"),
        text("search", "TEXT", "part of the text that wrote the slots"),
        Arg::new("folded")
            .long("folded")
            .action(ArgAction::SetTrue)
            .requires("what")
            .help("folds the norms into the weights"),
        text("intervene", "PART=NUMBER", "scales a part: L0H3=0, L1MLP=0.5, L2@5=0 (the residual stream before layer 2, at 5), L0H3@2-7=0; or sets a weight: blocks.0.attn.W_Q[3,5]=0.1; may be given again")
            .alias("change")
            .action(ArgAction::Append)
            .value_parser(parse_intervention),
        text("parameter", "NAME", "parameter to show, as named in the checkpoint; default: embed.W_E"),
        file("compare-with", "another checkpoint, of another step or run, whose figures are subtracted")
            .alias("less"),
        Arg::new("json").long("json").action(ArgAction::SetTrue).requires("what").help("prints JSON"),
        file("svg", "draws each grid and plot; the second is FILE-2.svg"),
        file("png", "draws each grid"),
    ]
}

/// `L0H3`
fn parse_head(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.strip_prefix('L').and_then(|rest| rest.split_once('H'));
    numbers
        .and_then(|(layer, head)| Some((layer.parse().ok()?, head.parse().ok()?)))
        .ok_or_else(|| "write it as L0H3".into())
}

/// `L0H3=0`, `L1MLP@4=0.5`, `L2@0-3=0`, `ln_final.w[3]=0.5`
fn parse_intervention(text: &str) -> Result<Intervention, String> {
    let (part, number) = text.split_once('=').unwrap_or((text, ""));
    let intervention = number.parse().ok().and_then(|number| Intervention::parse(part, number));
    intervention
        .ok_or_else(|| "write it as L0H3=0, L1MLP=0.5, L2@5=0 or blocks.0.attn.W_Q[3,5]=0.1".into())
}

/// Checks the pictures that will be written.
pub fn check_files(matches: &ArgMatches) -> Result<()> {
    let of = |name: &str| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let read = [("the run", of("checkpoint")), ("--compare-with", of("compare-with"))];
    super::files::check(&read, &[("--svg", of("svg")), ("--png", of("png"))])
}

/// Runs the analysis that the command line names, on this prompt.
pub fn run(matches: &ArgMatches, model: Snapshot, prompt: String) -> Result<()> {
    let get = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let id = get("what").context("no analysis was named")?;
    let (of_head, head) = matches.get_one("head").copied().unwrap_or_default();
    let layer = matches.get_one("layer").copied().unwrap_or(of_head);
    let request = AnalysisRequest {
        analysis: id.into(),
        prompt,
        other: get("other").map(super::args::unescape).unwrap_or_default(),
        position: matches.get_one("position").copied(),
        target: matches.get_one("target").cloned(),
        contrast: matches.get_one("contrast").cloned(),
        layer,
        head,
        search: get("search").map(super::args::unescape).unwrap_or_default(),
        component: matches.get_one("component").copied().unwrap_or_default(),
        is_folded: matches.get_flag("folded"),
        parameter: get("parameter").unwrap_or_default().into(),
        interventions: matches
            .get_many::<Intervention>("intervene")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        ..AnalysisRequest::default()
    };
    let baseline = match matches.get_one::<PathBuf>("compare-with") {
        Some(file) => {
            let (run, task) = super::files::open_checkpoint(file)?;
            Some((
                format!("{}, step {}", file.display(), run.step),
                Arc::new(Snapshot::of(run, &task)),
            ))
        }
        None => None,
    };
    let mut job = AnalysisJob::with_baseline(Arc::new(model), baseline, request)
        .with_context(|| format!("running the analysis `{id}`"))?;
    let bar = ProgressBar::new_spinner().with_message(id.to_owned());
    while job.advance()? {
        bar.tick();
    }
    bar.finish_and_clear();
    deliver(matches, &job.figures()?)
}

/// Writes figures as the command line asks for.
pub(super) fn deliver(matches: &ArgMatches, figures: &[Figure]) -> Result<()> {
    for (name, draw) in [("svg", svg as Draw), ("png", super::picture::grid)] {
        if let Some(file) = matches.get_one::<PathBuf>(name) {
            write_pictures(file, figures, draw)?;
        }
    }
    match ["svg", "png"].iter().any(|file| matches.contains_id(file)) {
        true if !matches.get_flag("json") => Ok(()),
        _ => print_all(figures, matches.get_flag("json")),
    }
}

/// Figures as text, or as JSON.
pub(super) fn print_all(figures: &[Figure], as_json: bool) -> Result<()> {
    let mut out = super::terminal::output();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(figures)?)?;
        return Ok(());
    }
    figures.iter().try_for_each(|figure| print(&mut out, figure))
}

type Draw = fn(&Figure) -> Result<Vec<u8>>;

/// Draws what can be drawn, each to a file of its own.
fn write_pictures(file: &Path, figures: &[Figure], draw: Draw) -> Result<()> {
    let is_picture = |figure: &&Figure| !matches!(figure.content, Content::Table(_));
    let pictures: Vec<_> = figures.iter().filter(is_picture).collect();
    ensure!(!pictures.is_empty(), "writing {}: there is no picture of a table", file.display());
    for (number, figure) in (1..).zip(pictures) {
        let file = super::files::numbered(file, number);
        let bytes = draw(figure).with_context(|| format!("drawing {}", file.display()))?;
        super::files::write(&file, &bytes)?;
        super::terminal::report(format_args!("Wrote {}: {}", file.display(), figure.title));
    }
    Ok(())
}

fn svg(figure: &Figure) -> Result<Vec<u8>> {
    figure.to_svg(false).map(String::into_bytes).map_err(anyhow::Error::msg)
}

pub(super) fn print(out: &mut impl Write, figure: &Figure) -> Result<()> {
    writeln!(out, "{}", figure.title)?;
    if !figure.note.is_empty() {
        writeln!(out, "  {}", figure.note)?;
    }
    match &figure.content {
        Content::Grid(grid) => print_table(out, &tabulate(grid))?,
        Content::Table(table) => print_table(out, table)?,
        Content::Plot(plot) => {
            for series in &plot.series {
                let ends = [series.points.first(), series.points.last()];
                let ends = ends.map(|point| {
                    point.map_or(String::new(), |[x, y]| format!("({}, {})", show(*x), show(*y)))
                });
                let count = series.points.len();
                writeln!(
                    out,
                    "  {}: {count} points from {} to {}; draw it with --svg",
                    series.name, ends[0], ends[1]
                )?;
            }
        }
    }
    writeln!(out)?;
    Ok(())
}

/// A grid as a table, or its largest values.
fn tabulate(grid: &Grid) -> Table {
    let (rows, columns) = (&grid.rows, &grid.columns);
    let cell = |row: usize, column: usize| match grid.text(row, column) {
        "" => show(grid.value(row, column).unwrap_or(f32::NAN)),
        text => text.to_owned(),
    };
    if columns.len() <= MAX_COLUMNS {
        let heading = [vec![rows.name.clone()], columns.labels.clone()].concat();
        let row = |(row, label): (usize, &String)| {
            let cells = (0..columns.len()).map(|column| cell(row, column));
            [label.clone()].into_iter().chain(cells).collect()
        };
        return Table { columns: heading, rows: rows.labels.iter().enumerate().map(row).collect() };
    }
    let mut order: Vec<usize> =
        (0..grid.values.len()).filter(|at| grid.values[*at].is_finite()).collect();
    order.sort_by(|a, b| grid.values[*b].abs().total_cmp(&grid.values[*a].abs()));
    let row = |at: &usize| {
        let (row, column) = (at / columns.len(), at % columns.len());
        vec![rows.labels[row].clone(), columns.labels[column].clone(), show(grid.values[*at])]
    };
    Table {
        columns: vec![
            rows.name.clone(),
            columns.name.clone(),
            format!("largest of {}", order.len()),
        ],
        rows: order.iter().take(LISTED).map(row).collect(),
    }
}

fn print_table(out: &mut impl Write, table: &Table) -> Result<()> {
    let all = || [&table.columns].into_iter().chain(&table.rows);
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|at| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    for row in all() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        writeln!(out, "  {}", cells.collect::<Vec<_>>().join("  "))?;
    }
    Ok(())
}
