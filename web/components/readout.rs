//! The values under the pointer of a chart of losses or accuracies.

use confab::run::LossPoint;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use crate::chart::{Against, Axes, Chart};
use crate::runs::{group_digits, show_loss};
use crate::state::{State, use_state};

/// The values of all runs under the pointer.
#[component]
pub fn Readout(
    chart: RwSignal<Option<Chart>>,
    holder: NodeRef<html::Div>,
    axes: RwSignal<Axes>,
) -> impl IntoView {
    let state = use_state();
    let pointer = RwSignal::new(None::<f64>);
    Effect::new(move |_| {
        let Some(holder) = holder.get() else { return };
        let holder: &web_sys::HtmlElement = &holder;
        let element = holder.clone();
        let on_move = move |event: ev::PointerEvent| {
            let left = element.get_bounding_client_rect().left();
            pointer.set(Some(f64::from(event.client_x()) - left));
        };
        let moves = leptos::prelude::window_event_listener(ev::pointermove, {
            let element = holder.clone();
            move |event: ev::PointerEvent| {
                let is_over = event
                    .target()
                    .and_then(|target| wasm_bindgen::JsCast::dyn_into::<web_sys::Node>(target).ok())
                    .is_some_and(|node| element.contains(Some(&node)));
                if is_over {
                    on_move(event);
                } else if pointer.with_untracked(Option::is_some) {
                    pointer.set(None);
                }
            }
        });
        on_cleanup(move || moves.remove());
    });
    let shown = move || {
        let x = pointer.get()?;
        let (place, width, height) = chart.with(|chart| {
            let chart = chart.as_ref()?;
            let plot = &chart.plot.0;
            let share = (x - f64::from(plot.start)) / f64::from((plot.end - plot.start).max(1));
            let place = chart.across.start + share * (chart.across.end - chart.across.start);
            let rows = &chart.plot.1;
            let height = rows.end - rows.start;
            (0.0..=1.0).contains(&share).then_some((place, f64::from(plot.end), height))
        })?;
        let lines = describe_place(state, axes.get(), place);
        let side = if x > width / 2.0 {
            format!("right:calc(100% - {}px)", x - 10.0)
        } else {
            format!("left:{}px", x + 10.0)
        };
        (!lines.is_empty()).then(|| {
            view! {
                <div class="cursor" style=format!("left:{x}px;height:{height}px")></div>
                <div class="tip" style=side>
                    {lines.into_iter().map(|line| view! { <div>{line}</div> }).collect_view()}
                </div>
            }
        })
    };
    view! { {shown} }
}

/// Values of the runs at a place of the chart, or at the next that has some.
fn describe_place(state: State, axes: Axes, place: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for run in state.drawn_runs(axes.measure).0.iter().rev() {
        let records = run.config.records_per_step();
        let at = |point: &LossPoint| axes.against.place(point, records);
        run.points.with_untracked(|points| {
            let after = points.partition_point(|point| at(point).is_none_or(|at| at < place));
            let Some(point) = points.get(after) else { return };
            if lines.is_empty() {
                lines.push(match axes.against {
                    Against::Steps => format!("step {}", group_digits(point.step)),
                    Against::Records => format!("{} records", group_digits(records * point.step)),
                    Against::Seconds => format!("{:.1} s", at(point).unwrap_or_default()),
                });
            }
            let [training, _] = axes.values(point);
            let validation = points[..=after].iter().rev().find_map(|of| axes.values(of)[1]);
            let values = [training, validation].into_iter().flatten();
            let values: Vec<String> = values.map(|value| show_loss(value, 4)).collect();
            lines.push(format!("{}: {}", run.name, values.join(" / ")));
        });
    }
    lines
}
