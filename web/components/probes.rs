use std::collections::BTreeMap;

use confab::figure::{Content, Plot, Series, Table, show_token};
use confab::report::{ProbeReport, ProbeSample, order};
use confab::run::AnswerSource;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::components::controls::SelectEvent;
use crate::components::save::{Saved, name_saved, save_menu};
use crate::runs::group_digits;
use crate::state::{State, use_state};
use crate::tables;

/// Prompts that ask for more than was trained, and what the model makes of the one above.
#[component]
pub fn Probes() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let probes = Memo::new(move |_| {
        state.model.with(|model| model.as_ref().map(|m| m.probes.clone()).unwrap_or_default())
    });
    let choose = move |event: SelectEvent| {
        let name = event.target().value();
        let probe = probes.with_untracked(|probes| probes.iter().find(|p| p.name == name).cloned());
        if let Some(probe) = probe {
            state.prompt_is_own.set(true);
            state.show_prompt(probe.prompt);
            actions.probe();
        }
    };
    let options = move || {
        let probes = probes.get().into_iter();
        probes
            .map(|p| view! { <option value=p.name.clone()>{p.name.clone()}</option> })
            .collect_view()
    };
    let is_chosen = move |name: &str| {
        let prompt = state.prompt.get();
        probes.with(|probes| probes.iter().any(|p| p.name == name && p.prompt == prompt))
    };
    let chosen = move || {
        let names = probes.with(|probes| probes.iter().map(|p| p.name.clone()).collect::<Vec<_>>());
        names.into_iter().find(|name| is_chosen(name)).unwrap_or_default()
    };
    view! {
        <div class="controls">
            <div class="field wide">
                <label for="probe">"Probe"</label>
                <select id="probe" prop:value=chosen on:change:target=choose>
                    <option value="">"Custom prompt"</option>
                    {options}
                </select>
            </div>
            <button
                title="draws twenty samples after the prompt, at the temperature above"
                on:click=move |_| actions.probe()
            >
                "20 samples"
            </button>
        </div>
        {move || {
            let report = state.probed.get()?;
            let (entropies, table) = show(&report);
            let of = move |save: fn(State, &ProbeReport) -> Option<Saved>| {
                save_menu(move || state.probed.with(|report| save(state, report.as_ref()?)))
            };
            Some(view! {
                <div data-testid="probe">
                    <div inner_html=entropies></div>
                    <div class="heading">{of(save_entropies)}</div>
                    <div inner_html=table></div>
                    <div class="heading">{of(save)}</div>
                </div>
            })
        }}
    }
}

/// The entropies of the samples, and their texts.
fn show(report: &ProbeReport) -> (String, String) {
    let shares = [
        (AnswerSource::Context, "from the prompt"),
        (AnswerSource::Training, "from training"),
        (AnswerSource::Neither, "made up"),
    ]
    .map(|(source, name)| {
        let score = report.of_source(source);
        format!("{} {name}", score.right)
    });
    let heading = format!(
        "{} samples at step {}: {}.",
        report.samples.len(),
        group_digits(report.step),
        shares.join(", "),
    );
    let rows = count_texts(report).into_iter().map(|(text, count, source)| {
        format!(
            "<tr><td class=number>{count} ×</td><td class=\"mono text\">{}</td>\
             <td class=\"source {}\">{source}</td></tr>",
            tables::escape(&text),
            source.replace(' ', "-")
        )
    });
    let rows: String = rows.collect();
    let table = tables::table("probe", "Samples of the probe", "", &rows);
    (format!("<p class=hint>{heading}</p>{}", show_entropies(report)), table)
}

/// The texts that were written, how often and from where, the most frequent first.
fn count_texts(report: &ProbeReport) -> Vec<(String, usize, &'static str)> {
    let mut counts: BTreeMap<&str, (usize, AnswerSource)> = BTreeMap::new();
    for ProbeSample { text, source } in &report.samples {
        counts.entry(text).or_insert((0, *source)).0 += 1;
    }
    let counts: Vec<_> = counts.into_iter().collect();
    let by_count = |a: usize, b: usize| counts[b].1.0.cmp(&counts[a].1.0);
    let of_place = |place: usize| {
        let (text, (count, source)) = counts[place];
        let source = match source {
            AnswerSource::Context => "prompt",
            AnswerSource::Training => "training",
            AnswerSource::Neither => "made up",
        };
        (show_token(text), count, source)
    };
    order(counts.len(), &by_count).into_iter().map(of_place).collect()
}

fn save(state: State, report: &ProbeReport) -> Option<Saved> {
    let rows = count_texts(report).into_iter();
    let rows = rows.map(|(text, count, source)| vec![text, count.to_string(), source.into()]);
    let columns = ["text", "samples", "source"].map(String::from).to_vec();
    let content = Content::Table(Table { columns, rows: rows.collect() });
    let name = name_saved(state, report.step, "probe");
    Some(Saved::drawn(name, "Samples of the probe", "", content))
}

fn save_entropies(state: State, report: &ProbeReport) -> Option<Saved> {
    let points = report.mean_entropies().into_iter().enumerate();
    let points = points.map(|(index, mean)| [index as f32 + 1.0, mean as f32]).collect();
    let series = vec![Series { name: "mean entropy".into(), points, labels: Vec::new() }];
    let plot = Plot { x: "character".into(), y: "nats".into(), series };
    let name = name_saved(state, report.step, "probe entropies");
    Some(Saved::drawn(name, "Mean entropy of each character", "", Content::Plot(plot)))
}

/// A bar a character: how much the model held possible there.
fn show_entropies(report: &ProbeReport) -> String {
    let (means, scale) = (report.mean_entropies(), report.entropy_scale());
    let Some((at, largest)) = means.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else {
        return String::new();
    };
    let overall = means.iter().sum::<f64>() / means.len() as f64;
    let bars = means.iter().zip(&report.entropies).enumerate();
    let bars = bars.map(|(index, (mean, (_, count)))| {
        let samples = if *count == 1 { "sample" } else { "samples" };
        format!(
            "<i style=\"--share:{:.1}%\" title=\"character {}: {mean:.2} nats over {count} {samples}\"></i>",
            100.0 * mean / scale,
            index + 1
        )
    });
    let bars: String = bars.collect();
    format!(
        "<div class=entropies role=img aria-label=\"Entropy by character\" \
         aria-describedby=entropies-caption>{bars}</div><p class=hint id=entropies-caption>Mean \
         entropy of each character: {overall:.2} nats over all, at most {largest:.2} at character \
         {}. A full bar is {scale:.2} nats.</p>",
        at + 1
    )
}
