//! Runs in groups, by the values of a setting.

use confab::config::{KNOBS, Knob, Range};
use confab::report::sweep::mean_and_deviation;
use leptos::prelude::*;

use super::controls::live;
use crate::runs::{Run, show_loss, show_share};
use crate::state::use_state;

/// A row of the table.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Listed {
    /// Heads the runs with one value of a setting: both, and their numbers.
    Group(String, Vec<usize>),
    Run(usize),
}

/// Keys of the settings that set runs apart.
pub fn list_apart(runs: &[Run]) -> Vec<&'static str> {
    let differs = |knob: &&Knob| {
        let mut values = runs.iter().filter(|run| run.number > 0).map(|run| knob.get(&run.config));
        let first = values.next();
        !matches!(knob.range, Range::Text { .. }) && values.any(|value| Some(value) != first)
    };
    KNOBS.iter().filter(differs).map(|knob| knob.key).collect()
}

/// The runs by their values of a setting, smallest first, each value above its runs.
pub fn list_groups(runs: &[&Run], knob: &Knob) -> Vec<Listed> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for run in runs {
        let value = knob.get(&run.config);
        match groups.iter_mut().find(|(of, _)| *of == value) {
            Some((_, numbers)) => numbers.push(run.number),
            None => groups.push((value, vec![run.number])),
        }
    }
    let number = |at: usize| groups[at].0.parse::<f64>();
    let order = confab::report::order(groups.len(), &|a, b| match (number(a), number(b)) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => groups[a].0.cmp(&groups[b].0),
    });
    let rows = order.into_iter().flat_map(|at| {
        let (value, numbers) = &groups[at];
        let head = Listed::Group(format!("{} {value}", knob.label), numbers.clone());
        std::iter::once(head).chain(numbers.iter().map(|number| Listed::Run(*number)))
    });
    rows.collect()
}

/// The value of a setting that some runs have, and the means and deviations of their last figures.
#[component]
pub fn Group(name: String, runs: Vec<usize>) -> impl IntoView {
    let state = use_state();
    let count = runs.len();
    let mean = move |of: fn(&Run) -> Option<f64>, show: fn(f64) -> String| {
        let runs = runs.clone();
        live(move || {
            let all = state.all_runs();
            let of_group = all.iter().filter(|run| runs.contains(&run.number));
            let values: Vec<f64> = of_group.filter_map(of).collect();
            match (mean_and_deviation(&values), values.len()) {
                (_, 0) => "—".into(),
                ((mean, _), 1) => show(mean),
                ((mean, spread), _) => format!("{} ± {}", show(mean), show(spread)),
            }
        })
    };
    let loss = |loss: f64| show_loss(loss, 3);
    view! {
        <tr class="group">
            <th scope="rowgroup" colspan="3">{name}</th>
            <td class="number">{if count == 1 { "1 run".into() } else { format!("{count} runs") }}</td>
            <td class="number">
                {mean.clone()(|run| run.last().map(|point| point.train_loss.into()), loss)}
            </td>
            <td class="number">{mean.clone()(|run| run.validation().0, loss)}</td>
            <td class="number">{mean.clone()(|run| run.validation().1, loss)}</td>
            <td class="number">{mean(Run::accuracy, show_share)}</td>
            <td></td>
        </tr>
    }
}
