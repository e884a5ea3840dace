use confab::figure::show_token;
use confab::protocol::{Alternative, SampleOptions};
use leptos::prelude::*;

use super::controls::live;
use super::save::{Saved, name_saved, save_menu};
use super::trace::Shown;
use crate::place::Inspected;
use crate::state::use_state;
use crate::tables;

/// The alternatives of the chosen character as bars.
#[component]
pub fn Bars() -> impl IntoView {
    let state = use_state();
    let Shown(trace) = expect_context();
    let place = Memo::new(move |_| {
        let last = trace.with(|trace| trace.as_ref().map(|trace| trace.tokens.len()))?;
        state.inspected.get().or(Some(Inspected::AfterPrompt(last.checked_sub(1)?)))
    });
    let alternatives = use_alternatives(move || place.get());
    let picked = move || match place.get()? {
        Inspected::AfterPrompt(index) => {
            trace.with(|trace| trace.as_ref()?.tokens.get(index + 1).cloned())
        }
        Inspected::Sampled(index) => state
            .sample
            .with(|sample| sample.characters.get(index).map(|report| report.picked.clone())),
    };
    let heading = move || match (place.get(), picked()) {
        (Some(Inspected::Sampled(index)), Some(picked)) => {
            format!("Output character {}: “{}”", index + 1, show_token(&picked))
        }
        (Some(Inspected::AfterPrompt(index)), Some(picked)) => {
            format!("Prompt character {}: “{}”", index + 2, show_token(&picked))
        }
        _ => "Next character".to_owned(),
    };
    let rows = move || {
        let picked = picked();
        let bar = |alternative| show_bar(alternative, picked.as_deref());
        alternatives().unwrap_or_default().into_iter().map(bar).collect::<String>()
    };
    let is_missing = move || {
        let picked = picked()?;
        let has_it = alternatives()?.iter().any(|a| a.token == picked);
        (!has_it).then(|| format!("“{}” is not among the likeliest shown.", show_token(&picked)))
    };
    let options = move || match place.get() {
        Some(Inspected::Sampled(_)) => state.sample.with(|sample| sample.options.clone()),
        _ => Some(SampleOptions {
            temperature: state.temperature.get(),
            top_k: state.top_k.get(),
            ..SampleOptions::default()
        }),
    };
    let drawing = move || match place.get()? {
        Inspected::Sampled(_) => None,
        Inspected::AfterPrompt(index) => state.expected.with(|expected| {
            let expected = expected.as_ref()?;
            let (drawn, entropy) = (expected.drawn.get(index)?, expected.entropies.get(index)?);
            Some(format!(
                "Entropy {entropy:.3} nats at temperature 1. At temperature {}, seed {} draws \
                 “{}”.",
                state.temperature.get(),
                state.sample_seed.get(),
                show_token(drawn)
            ))
        }),
    };
    let compared = move || {
        let name = trace.with(|trace| trace.as_ref()?.against.clone())?;
        matches!(place.get()?, Inspected::AfterPrompt(_)).then_some(name)
    };
    let head = move || {
        let compared = compared().map(|name| format!("In {name}"));
        let drawn = options().map_or(String::new(), |options| head_of_draws(&options));
        let names = [
            Some("Probability at temperature 1"),
            Some(&drawn),
            compared.as_deref(),
            Some("Logit"),
        ];
        tables::headings("Token", names.into_iter().flatten())
    };
    let saved = move || {
        let alternatives = alternatives()?;
        let step = trace.with(|trace| trace.as_ref().map(|trace| trace.step)).unwrap_or_default();
        let title = heading();
        let name = name_saved(state, step, &title);
        let rows = alternatives.iter().map(|of| show_token(&of.token)).collect();
        let numbers = alternatives.iter().flat_map(|of| [of.probability, of.drawn, of.logit]);
        let columns = ["probability", "drawn", "logit"];
        Some(Saved::table(name, &title, rows, &columns, numbers.collect()))
    };
    view! {
        <div class="heading">
            <h3>{live(heading)}</h3>
            {save_menu(saved)}
        </div>
        <div
            class="bars-box"
            inner_html=move || {
                format!(
                    "<table class=\"bars next\" data-testid=probabilities>{}<tbody>{}</tbody></table>",
                    head(),
                    rows(),
                )
            }
        ></div>
        <p class="hint">{live(move || is_missing().unwrap_or_default())}</p>
        <p class="hint" data-testid="drawing">{live(move || drawing().unwrap_or_default())}</p>
    }
}

/// `Drawn at 0.8, top 5`
fn head_of_draws(options: &SampleOptions) -> String {
    let SampleOptions { temperature, top_k, .. } = options;
    match top_k {
        0 => format!("Drawn at {temperature}"),
        _ => format!("Drawn at {temperature}, top {top_k}"),
    }
}

fn show_bar(alternative: Alternative, picked: Option<&str>) -> String {
    let Alternative { token, probability, drawn, logit, baseline } = alternative;
    let percent = |share: f32| format!("{:.1}%", 100.0 * share);
    let is_picked = picked == Some(&token);
    let baseline = baseline.map(|share| format!("<td class=baseline>{}</td>", percent(share)));
    format!(
        "<tr{}><th scope=row class=mono>{}{}</th><td class=bar>{}<span class=number>{}</span></td>\
         <td class=drawn-at>{}</td>{}<td class=logit>{logit:.2}</td></tr>",
        if is_picked { " class=picked" } else { "" },
        tables::escape(&show_token(&token)),
        if is_picked { " <span class=mark>✓</span>" } else { "" },
        tables::bar(probability.into()),
        percent(probability),
        percent(drawn),
        baseline.unwrap_or_default(),
    )
}

/// The alternatives at `place`.
fn use_alternatives(
    place: impl Fn() -> Option<Inspected> + Copy + Send + Sync + 'static,
) -> impl Fn() -> Option<Vec<Alternative>> + Copy + Send + Sync + 'static {
    let state = use_state();
    move || match place()? {
        Inspected::AfterPrompt(index) => {
            state.expected.with(|expected| expected.as_ref()?.next.get(index).cloned())
        }
        Inspected::Sampled(index) => state
            .sample
            .with(|sample| sample.characters.get(index).map(|report| report.alternatives.clone())),
    }
}
