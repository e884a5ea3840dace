use std::collections::BTreeMap;

use confab::figure::{Axis, Content, Grid};
use confab::report::{AttentionByType, order};
use confab::run::Field;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::controls::{button, switch};
use crate::components::save::{Saved, name_saved, save_menu};
use crate::head::{Head, MANY_HEADS};
use crate::heatmap::css_color;
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::tables;

/// Heads listed of a model with many.
const LISTED: usize = 64;

/// Attention of each head by the type of what is to be written, averaged over records.
#[component]
pub fn ByType(chosen: RwSignal<Head>) -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let is_ranked = RwSignal::new(true);
    let table = move || {
        let report = state.by_type.get()?;
        let mut heads = report.ranking();
        if !is_ranked.get() {
            let place = |at: usize| (heads[at].0, heads[at].1);
            let order = order(heads.len(), &|a, b| place(a).cmp(&place(b)));
            heads = order.into_iter().map(|at| heads[at]).collect();
        }
        let head = chosen.get();
        let shown = (head.layer, head.head.unwrap_or(0));
        let count = heads.len();
        if count > MANY_HEADS {
            match is_ranked.get() {
                true => heads.truncate(LISTED),
                false => heads.retain(|(layer, ..)| *layer == shown.0),
            }
        }
        let listed = (heads.len() < count).then(|| match is_ranked.get() {
            true => format!("The first {} of {} heads.", heads.len(), group_digits(count)),
            false => format!("Layer by layer: the heads of layer {}.", shown.0),
        });
        Some(view! {
            <p class="hint" data-testid="by-type-progress">
                {format!(
                    "{} held-out records at step {}. Rows: what is to be written next. Columns: what is read.",
                    group_digits(report.records),
                    group_digits(report.step),
                )}
            </p>
            <div class="heading">
                {save_menu(move || save(state, shown, "by type", grid_of_types))}
            </div>
            <div class="shares-box" inner_html=show_head(&report, shown)></div>
            <div class="heading">
                {save_menu(move || save(state, shown, "average pattern", grid_of_segments))}
            </div>
            <div inner_html=show_pattern(&report, shown)></div>
            {switch("Most specialised first", move || is_ranked.get(), move |is_on| is_ranked.set(is_on))}
            <p class="hint">{listed}</p>
            <div class="ranking" role="group" aria-label="Heads by divergence">
                {heads
                    .into_iter()
                    .map(|(layer, head, bits)| {
                        let head = Head { layer, head: Some(head) };
                        view! {
                            <button
                                class="small"
                                aria-pressed=move || (chosen.get() == head).to_string()
                                title="Jensen–Shannon divergence between the rows, in bits"
                                on:click=move |_| chosen.set(head)
                            >
                                {head.label()}
                                <span class="hint">{format!("{bits:.3}")}</span>
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
        })
    };
    view! {
        <div class="by-type">
            <div class="heading">
                <h3>"Average by token type"</h3>
                {button(
                    "Average over 200 records",
                    "averages every head's attention over 200 held-out records",
                    move || actions.average_attention(),
                )}
            </div>
            {table}
        </div>
    }
}

type Shares<'a> = Vec<(&'a str, BTreeMap<Field, f64>)>;

fn save(
    state: State,
    (layer, head): (usize, usize),
    what: &str,
    grid: fn(&AttentionByType, usize, usize) -> Grid,
) -> Option<Saved> {
    let report = state.by_type.get()?;
    let label = Head { layer, head: Some(head) }.label();
    let name = name_saved(state, report.step, &format!("{what} {label}"));
    let note = format!("Mean attention of {label} over {} records.", report.records);
    let content = Content::Grid(grid(&report, layer, head).within([0.0, 1.0]));
    Some(Saved::drawn(name, &format!("Attention of {label}: {what}"), &note, content))
}

fn grid_of_types(report: &AttentionByType, layer: usize, head: usize) -> Grid {
    let rows = report.shares(layer, head);
    let fields = list_fields(&rows);
    let shares = rows.iter().flat_map(|(_, shares)| {
        fields.iter().map(|field| shares.get(field).copied().unwrap_or(0.0) as f32)
    });
    let shares = shares.collect();
    let types = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
    let fields = fields.iter().map(|field| field.name().to_owned()).collect();
    Grid::new(Axis::new("to write", types), Axis::new("reads", fields), shares)
}

fn grid_of_segments(report: &AttentionByType, layer: usize, head: usize) -> Grid {
    let (names, shares) = report.pattern(layer, head);
    Grid::new(Axis::new("to write", names.clone()), Axis::new("reads", names), shares)
}

/// Fields that are read, each once, in order.
fn list_fields(rows: &Shares) -> Vec<Field> {
    let fields: Vec<Field> = rows.iter().flat_map(|(_, shares)| shares.keys().copied()).collect();
    let order = order(fields.len(), &|a, b| fields[a].cmp(&fields[b]));
    let mut fields: Vec<Field> = order.into_iter().map(|at| fields[at]).collect();
    fields.dedup();
    fields
}

/// One head's shares: a row a type, a column a field.
fn show_head(report: &AttentionByType, (layer, head): (usize, usize)) -> String {
    let rows = report.shares(layer, head);
    let fields = list_fields(&rows);
    let cell = |share: f64| {
        let color = css_color(share as f32);
        format!("<td><i style=\"background:{color}\"></i>{:.0}%</td>", 100.0 * share)
    };
    let rows = rows.iter().map(|(name, shares)| {
        let cells = fields.iter().map(|field| cell(shares.get(field).copied().unwrap_or(0.0)));
        tables::row(name, "", &cells.collect::<String>())
    });
    let label = format!("What {} reads", Head { layer, head: Some(head) }.label());
    let head = tables::headings("", fields.iter().map(|field| field.name()));
    tables::table("shares", &label, &head, &rows.collect::<String>())
}

/// One head's average pattern: a row a segment to be written, a column a segment read.
fn show_pattern(report: &AttentionByType, (layer, head): (usize, usize)) -> String {
    let (names, shares) = report.pattern(layer, head);
    let cell = |row: &str, (column, share): (&String, &f32)| {
        // A share of exactly 0 is of what cannot be read: it stands later.
        let color = if *share > 0.0 { css_color(*share) } else { "none".into() };
        let title = format!("to write {row}, reads {column}: {:.2}%", 100.0 * share);
        format!("<td style=\"background:{color}\" title=\"{}\"></td>", tables::escape(&title))
    };
    let rows = names.iter().zip(shares.chunks(names.len().max(1))).map(|(row, shares)| {
        let cells = names.iter().zip(shares).map(|column| cell(row, column));
        tables::row(row, "", &cells.collect::<String>())
    });
    let label = Head { layer, head: Some(head) }.label();
    let rows: String = rows.collect();
    let head = tables::headings("", names.iter().map(String::as_str));
    let table = tables::table("average mono", "", &head, &rows);
    format!(
        "<p class=hint>{label}’s whole pattern, averaged by line of a record, counted from 0, and \
         field.</p><div class=average-box role=img aria-label=\"Average pattern of \
         {label}\">{table}</div>"
    )
}
