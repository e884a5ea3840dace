//! The report of a run: one file of HTML that holds all it shows.

use confab::config::{KNOBS, Knob, Range, TaskKind};
use confab::figure::{Content, Figure};
use confab::run::link;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlCanvasElement;

use super::fixed_answers;
use super::loss;
use super::save::name_saved;
use crate::head::{Head, MANY_HEADS};
use crate::heatmap;
use crate::runs::{group_digits, show_loss};
use crate::state::State;
use crate::tables::{escape, table};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:32px auto;max-width:860px;padding:0 16px;color:#1c222d}\
    h1{font-size:24px}h2{font-size:18px;margin-top:28px}table{border-collapse:collapse}\
    th,td{border-bottom:1px solid #dde2ea;padding:2px 14px 2px 0;text-align:left;font-weight:400}\
    pre{background:#f2f4f8;padding:10px;white-space:pre-wrap;overflow-wrap:anywhere}svg{max-width:100%;height:auto}\
    .heads{display:flex;flex-wrap:wrap;gap:8px}.heads figure{margin:0;font-size:11px;text-align:center}\
    .heads img{display:block;width:110px;height:110px;image-rendering:pixelated;background:#f6f8fb}\
    .hint{color:#5c6577}.right{color:#1a8f6a}.wrong{color:#b3261e;text-decoration:underline}";

/// The report's name as a file, and its text; `None` while there is no model.
pub fn write(state: State) -> Option<(String, String)> {
    let model = state.model.get()?;
    let step = state.shown_step();
    let title = format!("{}, step {}", model.name, group_digits(step));
    let mut sections = vec![describe_run(state)];
    let with = state
        .named_ablations()
        .map_or(String::new(), |all| format!(" Its figures are with {}.", escape(&all)));
    sections.push(format!(
        "<h2>Loss</h2><p class=hint>Thin: training. Thick: validation. Nats per token.</p>{}",
        loss::draw(state)
    ));
    let answers = state.fixed_answers.get();
    let answers: String = answers.iter().flatten().map(|of| fixed_answers::draw(of)).collect();
    if !answers.is_empty() {
        sections.push(format!("<h2>Answers</h2>{answers}"));
    }
    let sample = state.sample.with(|sample| {
        let drawn = sample.characters.iter().map(|report| &*report.text).collect::<String>();
        (!drawn.is_empty()).then(|| (sample.prompt().to_owned(), drawn))
    });
    if let Some((prompt, drawn)) = sample {
        let (prompt, drawn) = (escape(&prompt), escape(&drawn));
        sections.push(format!("<h2>Sample</h2><pre><span class=hint>{prompt}</span>{drawn}</pre>"));
    }
    sections.extend(describe_attention(state));
    if let Some(result) = state.result.get() {
        let figures = result.figures.iter().flatten().map(describe_figure).collect::<String>();
        sections.push(format!("<h2>Analysis: {}</h2>{figures}", escape(&result.analysis)));
    }
    sections.push(describe_settings(state));
    let (title, sections) = (escape(&title), sections.concat());
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p class=hint>A report of Confab.{with}</p>{sections}</html>\n"
    );
    Some((format!("{}.html", name_saved(state, step, "report")), page))
}

fn rows(pairs: impl Iterator<Item = (String, String)>) -> String {
    let row = |(name, value): (String, String)| {
        format!("<tr><th scope=row>{}</th><td>{}</td></tr>", escape(&name), escape(&value))
    };
    pairs.map(row).collect()
}

fn describe_run(state: State) -> String {
    let model = state.model.get();
    let last = state.last_point();
    let loss = |value: Option<f64>| value.map_or("—".into(), |loss| show_loss(loss, 4));
    let floor = model.as_ref().and_then(|of| Some(of.floor.as_ref()?.nats_per_char));
    let validation = state.last_validation();
    let facts = [
        ("Parameters", model.map_or("—".into(), |of| group_digits(of.parameters))),
        ("Steps", last.map_or("0".into(), |point| group_digits(point.step))),
        ("Training loss, nats per token", loss(last.map(|point| point.train_loss.into()))),
        ("Validation loss", loss(validation)),
        ("Best possible loss", loss(floor)),
        ("Validation loss above it", loss(validation.zip(floor).map(|(loss, floor)| loss - floor))),
        ("Computed on", state.device.get().map_or("—".into(), |device| device.name)),
    ];
    table("", "Run", "", &rows(facts.map(|(name, value)| (name.into(), value)).into_iter()))
}

/// Every head's pattern as a small picture, of many heads the mean of each layer; and the chosen one's large.
fn describe_attention(state: State) -> Option<String> {
    let trace = state.trace.get()?;
    let canvas = document().create_element("canvas").ok()?.dyn_into::<HtmlCanvasElement>().ok()?;
    let is_crowded = trace.n_layers * trace.n_heads > MANY_HEADS;
    let per_layer = (!is_crowded).then_some(trace.n_heads);
    let count = trace.n_layers * per_layer.unwrap_or(1);
    let heads = (0..count).map(|place| Head::at(place, per_layer));
    let which = match is_crowded {
        true => format!("<p class=hint>The mean of the {} heads of each layer.</p>", trace.n_heads),
        false => String::new(),
    };
    let picture = |head: Head| {
        let pattern = head.pattern(&trace)?;
        heatmap::paint(&canvas, &[pattern], trace.tokens.len(), 0, trace.against.is_some());
        let (url, name) = (canvas.to_data_url().ok()?, head.label());
        Some(format!("<figure><img alt=\"\" src=\"{url}\">{name}</figure>"))
    };
    let pictures: String = heads.filter_map(picture).collect();
    let chosen = state.head.get().figure(&trace).map_or(String::new(), |of| describe_figure(&of));
    let tokens = escape(&trace.tokens.concat());
    Some(format!(
        "<h2>Attention</h2><pre>{tokens}</pre>{which}<div class=heads>{pictures}</div>{chosen}"
    ))
}

fn describe_figure(figure: &Figure) -> String {
    let (title, note) = (escape(&figure.title), escape(&figure.note));
    let drawn = match (&figure.content, figure.to_svg(false)) {
        (Content::Table(_), _) => format!("<pre>{}</pre>", escape(&figure.to_csv())),
        (_, Ok(svg)) => svg,
        (_, Err(why)) => format!("<p class=hint>It is not drawn: {}.</p>", escape(&why)),
    };
    format!("<h3>{title}</h3><p class=hint>{note}</p>{drawn}")
}

/// Every setting of the run, and the commands that train it again.
fn describe_settings(state: State) -> String {
    let Some(model) = state.model.get() else { return String::new() };
    let is_short = |knob: &&Knob| !matches!(knob.range, Range::Text { .. });
    let shown = KNOBS.iter().filter(|knob| knob.has_effect(&model.config)).filter(is_short);
    let settings = rows(shown.map(|knob| (knob.label.to_owned(), knob.get(&model.config))));
    let link = link::Link { config: model.config.clone(), ..link::Link::default() };
    let commands = match link::encode(&link) {
        Ok(fragment) => format!(
            "<pre>confab train --link '#{}' --out run.safetensors\nconfab inspect run.safetensors --attention attention.png</pre>",
            escape(&fragment)
        ),
        Err(why) => format!("<p>The settings do not fit a link: {}.</p>", escape(&why.to_string())),
    };
    let grammar = match model.config.task.kind {
        TaskKind::Grammar => {
            format!("<h2>Grammar</h2><pre>{}</pre>", escape(&model.config.task.grammar.text))
        }
        _ => String::new(),
    };
    let settings = table("", "Settings", "", &settings);
    format!("<h2>Train it again</h2>{commands}<h2>Settings</h2>{settings}{grammar}")
}
