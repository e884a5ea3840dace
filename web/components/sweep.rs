use confab::base::plot;
use confab::base::plot::{Axes, Line, Point};
use confab::figure::{Content, Plot};
use confab::report::Evaluated;
use confab::report::{Report, Score};
use leptos::html;
use leptos::prelude::*;

use crate::actions::use_actions;
use crate::browser;
use crate::components::controls::{button, live};
use crate::components::save::{Picture, Saved, name_saved, save_menu};
use crate::components::theme::Dark;
use crate::state::use_state;

const HEIGHT: u32 = 240;
const AXES: Axes =
    Axes { x: "temperature", x_is_log: false, y: "", y_is_share: true, has_legend: false };

/// Evaluations at one temperature after another, as curves.
#[component]
pub fn Sweep() -> impl IntoView {
    let (state, actions) = (use_state(), use_actions());
    let Dark(is_dark) = expect_context();
    let holder = NodeRef::<html::Div>::new();
    let lines = Memo::new(move |_| state.sweep.with(|sweep| list_lines(sweep)));
    let svg = move || {
        let holder = holder.get()?;
        let lines = lines.get();
        let width = browser::chart_width(&holder);
        if lines.is_empty() {
            return None;
        }
        Some(plot::draw(&[(AXES, &lines)], (width, HEIGHT), is_dark.get()))
    };
    let done = move || {
        let count = state.sweep.with(Vec::len);
        (count > 0).then(|| format!("{count} temperatures"))
    };
    let key = move || {
        let names = lines.get().into_iter().enumerate();
        names
            .map(|(index, line)| {
                let style = format!("background:{}", plot::pick_color(index + 1, is_dark.get()));
                view! { <span><i class="key" style=style></i>" "{line.name}" "</span> }
            })
            .collect_view()
    };
    let saved = move || {
        let step = state.sweep.with(|sweep| sweep.first().map(|evaluated| evaluated.step))?;
        let name = name_saved(state, step, "temperatures");
        let series = lines.with(|lines| lines.iter().map(Into::into).collect());
        let content = Content::Plot(Plot { x: AXES.x.into(), y: "share".into(), series });
        let saved = Saved::drawn(name, "Temperature sweep", "", content);
        Some(Saved { picture: Picture::Shown(svg()?), ..saved })
    };
    view! {
        <div class="heading">
            <h3>"Temperature sweep"</h3>
            <span class="hint" data-testid="sweep-progress">{live(move || done().unwrap_or_default())}</span>
            {button("Sweep", "evaluates at seven temperatures, from 0.01 to 1.5", move || actions.sweep())}
            {save_menu(saved)}
        </div>
        <div node_ref=holder>
            <div role="img" aria-label="Answers by temperature" inner_html=svg></div>
            <p class="hint" data-testid="sweep-key">{key}</p>
        </div>
    }
}

fn list_lines(sweep: &[Evaluated]) -> Vec<Line> {
    let Some(first) = sweep.first() else { return Vec::new() };
    let named: Vec<(&'static str, Score)> = list_scores(&first.report);
    named
        .into_iter()
        .map(|(name, _)| {
            let points = sweep.iter().filter_map(|evaluated| {
                let scores = list_scores(&evaluated.report);
                let (_, score) = scores.into_iter().find(|(other, _)| *other == name)?;
                Some(Point { x: evaluated.options.temperature, y: score.share()?, spread: 0.0 })
            });
            Line { name: name.into(), points: points.collect(), ..Line::default() }
        })
        .collect()
}

fn list_scores(report: &Report) -> Vec<(&'static str, Score)> {
    match report {
        Report::Phone(report) => vec![
            ("lines that have the form of one", report.valid),
            ("names that are listed", report.name),
            ("digits that are right, if asked for", report.calibration.score()),
            ("different lines after one list", report.distinct),
        ],
        Report::Facts(report) => vec![
            ("right, trained on", report.trained.given),
            ("right, held out", report.held_out.given),
            ("right, the fact left out", report.trained.left_out),
        ],
        Report::Recall(report) => vec![("queries that are right", report.all())],
        Report::Mapping(report) => {
            vec![
                ("right, trained on", report.trained.exact),
                ("right, held out", report.held_out.exact),
            ]
        }
    }
}
