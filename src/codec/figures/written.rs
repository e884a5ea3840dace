//! Figures of outputs, and of the records that they come from.

use super::traced::{Traced, figure};
use crate::codec::align::align;
use crate::codec::explain::{Explained, Source};
use crate::figure::{Content, Figure, Table, show_token};

pub fn written(traced: &Traced) -> Result<Vec<Figure>, String> {
    let text = traced.run.tokenizer.decode(&traced.run.codec.written(&traced.steps));
    let rows = traced.steps.iter().enumerate().map(|(at, step)| {
        let Explained { token, output, context, .. } = traced.run.explain(step);
        let quoted = |text: &str| format!("“{}”", show_token(text));
        let token = if token.is_empty() { "end".into() } else { quoted(&token) };
        let mut row = vec![at.to_string(), token, quoted(&output)];
        row.extend(match context {
            Some(source) => of_source(&source),
            None => vec!["no known context".into()],
        });
        row.resize(3 + SOURCE.len(), String::new());
        row
    });
    let table = Table { columns: columns(["", "Token", "Becomes"]), rows: rows.collect() };
    let note = format!(
        "It writes “{}”. Each token takes the noise of the longest window that is known: as many neighbours to each side. \
         Borrowed from: the training record in which this was first wanted of the context, the token in brackets.",
        show_token(&text)
    );
    Ok(vec![figure("What is written", note, Content::Table(table))])
}

/// The first held-out record that is written wrong, and the contexts that the wrong tokens borrowed from.
pub fn mistake(traced: &Traced) -> Result<Vec<Figure>, String> {
    let run = traced.run;
    let text = |ids: &[u32]| show_token(&run.tokenizer.decode(ids));
    let wrong = (0..SEARCHED).find_map(|number| {
        let example = run.examples().held_out(number)?;
        let steps = run.codec.trace(&example.input);
        (run.codec.written(&steps) != example.output).then_some((number, example, steps))
    });
    let found =
        wrong.ok_or_else(|| format!("no mistake is in the first {SEARCHED} held-out records"))?;
    let (number, example, steps) = found;
    let read: Vec<u32> = steps.iter().map(|step| step.token).collect();
    let wanted = align(&read, &example.output);
    let rows = steps
        .iter()
        .zip(wanted)
        .filter(|(step, wanted)| run.codec.output(&step.reached) != *wanted);
    let rows = rows.map(|(step, wanted)| {
        let becomes = text(run.codec.output(&step.reached));
        let mut row = vec![traced.name(step.token), text(wanted), becomes];
        row.extend(run.explain(step).context.map_or(Vec::new(), |source| of_source(&source)));
        row.resize(3 + SOURCE.len(), String::new());
        row
    });
    let names = ["Token", "Should become", "Becomes"];
    let table = Table { columns: columns(names), rows: rows.collect() };
    let note = format!(
        "Held-out record {number}: “{}” should be “{}”, and “{}” is written. Each wrong token took the noise of a context that \
         it shares with a training record, where it was right.",
        text(&example.input),
        text(&example.output),
        text(&run.codec.written(&steps)),
    );
    Ok(vec![figure("A mistake", note, Content::Table(table))])
}

/// Held-out records that are searched for a mistake.
const SEARCHED: usize = 500;
/// Names of the columns that [`of_source`] fills.
const SOURCE: [&str; 6] = ["Neighbours", "Distance", "Met", "Wanted", "Borrowed from", "There"];

/// Names of a table's columns: `first`, then those of a source.
fn columns(first: [&str; 3]) -> Vec<String> {
    first.into_iter().chain(SOURCE).map(String::from).collect()
}

fn of_source(source: &Source) -> Vec<String> {
    let Source { sides, distance, record, place, input, output, became, met, wanted } = source;
    let place = *place as usize;
    let marked: String = input
        .chars()
        .enumerate()
        .map(|(at, character)| match at == place {
            true => format!("[{character}]"),
            false => character.to_string(),
        })
        .collect();
    let end = if place >= input.chars().count() { "[end]" } else { "" };
    vec![
        sides.map_or("past noises".into(), |sides| sides.to_string()),
        format!("{distance:.3}"),
        met.to_string(),
        wanted.to_string(),
        format!("#{record}: {}{end} → {}", show_token(&marked), show_token(output)),
        format!("“{}”", show_token(became)),
    ]
}
