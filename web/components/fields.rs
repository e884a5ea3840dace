use std::f64::consts::LN_2;

use confab::protocol::FieldLoss;
use confab::task::FieldFloor;
use leptos::prelude::*;

use crate::runs::{group_digits, show_loss};
use crate::state::use_state;

/// Floor, losses and what is still to be learned, by field.
#[component]
pub fn Fields() -> impl IntoView {
    let state = use_state();
    let floor = Memo::new(move |_| {
        state.model.with(|model| model.as_ref().and_then(|model| model.floor.clone()))
    });
    let rows = move || {
        let view = state.fields.get()?;
        let floor = floor.get();
        let has_floor = floor.is_some();
        let by_heart = floor.as_ref().is_some_and(|floor| floor.by_heart);
        let rows = view
            .fields
            .into_iter()
            .map(|loss| {
                let of_field = floor.as_ref().and_then(|floor| floor.field(loss.field)).copied();
                show_row(loss, of_field, by_heart)
            })
            .collect_view();
        Some((view.step, has_floor, by_heart, rows))
    };
    move || {
        rows().map(|(step, has_floor, by_heart, rows)| {
            let hint = match by_heart {
                true => {
                    "Nats per character; excess in bits over the floor, in training: a held-out \
                     record cannot be known, and has no floor."
                }
                false if has_floor => {
                    "Nats per character; excess in bits over the floor, in validation."
                }
                false => "Nats per character. The source of a plain text is not known, so it has no floor.",
            };
            view! {
                <details open class="fields">
                    <summary>"Fields"<span class="hint">{format!("step {}", group_digits(step))}</span></summary>
                    <table data-testid="fields" aria-label="Fields">
                        <thead>
                            <tr>
                                <th scope="col">"Field"</th>
                                <th scope="col">"Floor"</th>
                                <th scope="col">"Training"</th>
                                <th scope="col">"Validation"</th>
                                <th scope="col">"Excess"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                    <p class="hint">{hint}</p>
                </details>
            }
        })
    }
}

fn show_row(loss: FieldLoss, floor: Option<FieldFloor>, by_heart: bool) -> impl IntoView {
    let floor = floor.map(|floor| floor.nats_per_char());
    let held = if by_heart { loss.train } else { loss.val };
    let excess = floor.zip(held).map(|(floor, held)| (f64::from(held) - floor) / LN_2);
    let show = |value: Option<f64>| value.map_or("—".into(), |value| show_loss(value, 3));
    view! {
        <tr>
            <th scope="row">{loss.field.name()}</th>
            <td>{show(floor)}</td>
            <td>{show(loss.train.map(f64::from))}</td>
            <td>{show(loss.val.map(f64::from))}</td>
            <td class="excess">{excess.map_or("—".into(), |bits| format!("{bits:+.3}"))}</td>
        </tr>
    }
}
