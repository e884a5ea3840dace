//! Slots that a model remembers outside its weights, and those that answered.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Content, Figure, Plot, Series, Table, show, show_token};
use crate::generate::{descending, probabilities};
use crate::interp::analysis::vocabulary::main_directions;
use crate::memory::{Exact, Slot, matching};
use crate::run::Group::Memory;
use crate::run::Input::{Position, Prompt, Slots};

pub(super) static RECALLED: AtOnce = AtOnce::new("recalled", "Retrieved slots", Memory, &[Prompt, Position], recalled);
pub(super) static SLOTS: AtOnce = AtOnce::new("slots", "Slots of a layer", Memory, &[Slots], slots);
pub(super) static MAP: AtOnce = AtOnce::new("memory-map", "Map of keys", Memory, &[Slots], map);

/// Slots listed, and drawn.
const LISTED: usize = 200;
const DRAWN: usize = 300;
/// Tokens that a value promotes, as far as they are told.
const PROMOTED: usize = 4;

/// Slots that answered at a position, and what would have been written.
fn recalled(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    stores(subject)?;
    let at = subject.position()?;
    let cache = subject.record();
    let next = probabilities(cache.logits_at(at), 1.0, PROMOTED);
    let next: Vec<String> = next
        .iter()
        .map(|(token, chance)| {
            format!("{} {:.0}%", subject.model.name(*token as u32), 100.0 * chance)
        })
        .collect();
    let mut figures = Vec::new();
    for (layer, memory) in subject.model.bank.memories() {
        let of_layer = cache.layers.get(layer).map(|layer| &layer.recalled);
        let Some(read) = of_layer.unwrap_or(&cache.recalled) else { continue };
        let k = read.found.k;
        let row = |rank: usize| -> Option<Vec<String>> {
            let (id, distance) = (read.found.ids[rank], read.found.distances[rank]);
            let slot = memory.store.find(id)?;
            let mut row = vec![id.to_string(), show(read.weights[rank]), show(distance)];
            row.extend(describe(subject, layer, &slot));
            Some(row)
        };
        let rows = (at * k..(at + 1) * k).filter_map(row).collect();
        let after = subject.ids.get(at).map(|id| subject.model.name(*id)).unwrap_or_default();
        figures.push(Figure {
            title: format!("{}: what answered after “{after}” at {at}", place(subject, layer)),
            note: format!(
                "Slots that the query found, with their weight, and what wrote them. The model \
                 goes on with {}.",
                next.join(", ")
            ),
            content: table(&["Slot", "Weight", "Distance"], rows),
        });
    }
    Ok(figures)
}

/// The slots of a layer whose text holds what is searched for, most often found first.
fn slots(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let (layer, store) = store(subject)?;
    let slots = matching(store, &subject.request.search);
    let total = slots.len();
    let rows = slots.iter().take(LISTED).map(|slot| {
        let mut row = vec![slot.id.to_string()];
        row.extend(describe(subject, layer, slot));
        row
    });
    let first =
        if total > LISTED { format!(", the first {LISTED} of {total}") } else { String::new() };
    Ok(vec![Figure {
        title: format!("Slots of {}{first}", place(subject, layer)),
        note: format!(
            "{} of {} slots. What wrote a slot, what followed there, what its value alone would have \
             the model write, how often it was found and when last.",
            total,
            store.ids().len()
        ),
        content: table(&["Slot"], rows.collect()),
    }])
}

/// The keys of a layer along their two main directions.
fn map(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let (layer, store) = store(subject)?;
    let mut slots = matching(store, &subject.request.search);
    slots.truncate(DRAWN);
    let keys: Vec<&[f32]> = slots.iter().map(|slot| &*slot.new.key).collect();
    let (points, explained) = main_directions(&keys)?;
    let [x, y] = explained.map(|share| format!("{:.0}% of the variance", 100.0 * share));
    let label = |slot: &Slot| {
        let text: Vec<char> = slot.new.origin.text.chars().collect();
        let last: String = text[text.len().saturating_sub(3)..].iter().collect();
        show_token(&last)
    };
    let labels = slots.iter().map(label).collect();
    let series = vec![Series { name: "keys".into(), points, labels }];
    Ok(vec![Figure {
        title: format!("Keys of {} along their two main directions", place(subject, layer)),
        note: format!(
            "Principal components of {} keys, the most often found; each with the last characters of \
             what wrote it.",
            slots.len()
        ),
        content: Content::Plot(Plot { x, y, series }),
    }])
}

/// The text that wrote a slot, what its value promotes, and how it was used.
fn describe(subject: &Subject, layer: usize, slot: &Slot) -> Vec<String> {
    let origin = &slot.new.origin;
    let when = match origin.step {
        0 => "taught".into(),
        step => format!("step {step}, record {}", origin.record),
    };
    vec![
        show_token(&origin.text),
        show_token(&origin.next),
        promoted(subject, layer, &slot.new.value),
        when,
        slot.hits.to_string(),
        slot.last.to_string(),
        slot.merged.to_string(),
    ]
}

/// The place of a store: a layer, or the output.
fn place(subject: &Subject, layer: usize) -> String {
    if layer == subject.view.n_layers() { "the output".into() } else { format!("L{layer}") }
}

/// The tokens that a value would have written, if it were all there is in the residual stream.
fn promoted(subject: &Subject, layer: usize, value: &[f32]) -> String {
    if layer == subject.view.n_layers() {
        return value.first().map_or(String::new(), |token| subject.model.name(*token as u32));
    }
    // Values that attention found are written through its own W_O.
    let mut names = ["memory", "attn"].map(|part| format!("blocks.{layer}.{part}.W_O")).into_iter();
    let Some(w_o) = names.find_map(|name| subject.view.parameter(&name)) else {
        return String::new();
    };
    let d_model = subject.view.d_model();
    let mut written = vec![0.0; d_model];
    for (x, row) in value.iter().zip(w_o.rows(d_model)) {
        written.iter_mut().zip(row.iter()).for_each(|(sum, w)| *sum += x * w);
    }
    let logits = subject.view.logits(&subject.view.final_norm(&written));
    let tokens = descending(&logits).into_iter().take(PROMOTED);
    tokens.map(|token| subject.model.name(token as u32)).collect::<Vec<_>>().join(" ")
}

fn table(first: &[&str], rows: Vec<Vec<String>>) -> Content {
    const OF_SLOT: [&str; 7] =
        ["Written by", "Next", "Promotes", "Written", "Hits", "Last", "Merged"];
    let columns = first.iter().chain(&OF_SLOT).map(|column| (*column).to_owned()).collect();
    Content::Table(Table { columns, rows })
}

/// The layers with a store.
fn stores(subject: &Subject) -> Result<Vec<usize>, RequestError> {
    let layers: Vec<usize> = subject.model.bank.memories().map(|(layer, _)| layer).collect();
    if layers.is_empty() { Err(RequestError::NoMemory) } else { Ok(layers) }
}

/// The store of the layer that is looked at, or of the first that has one.
fn store<'a>(subject: &'a Subject) -> Result<(usize, &'a Exact), RequestError> {
    let layers = stores(subject)?;
    let layer = if layers.contains(&subject.request.layer) { subject.request.layer } else { layers[0] };
    let memory = subject.model.bank.layer(layer).ok_or(RequestError::NoMemory)?;
    Ok((layer, &memory.store))
}
