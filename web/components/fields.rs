use confab::run::FieldLoss;
use confab::run::Floor;
use leptos::prelude::*;

use crate::components::controls::live;
use crate::components::save::{Saved, name_saved, save_menu};
use crate::runs::{group_digits, show_loss};
use crate::state::{FieldView, use_state};

/// Losses by field, and how far they are above the floor.
#[component]
pub fn Fields() -> impl IntoView {
    let state = use_state();
    let floor = Memo::new(move |_| {
        state.model.with(|model| model.as_ref().and_then(|model| model.floor.clone()))
    });
    let hint = move || match floor.get() {
        Some(floor) if floor.by_heart => {
            "Nats per character; bits above the floor, in training: a held-out record cannot be \
             known, and has no floor."
                .to_owned()
        }
        Some(floor) => {
            let found = floor.found.describe().unwrap_or_default();
            format!("Nats per character; bits above the floor, in validation. {found}")
        }
        None => "Nats per character. The source of a plain text is not known, so it has no floor."
            .into(),
    };
    let step = move || {
        state
            .fields
            .with(|view| view.as_ref().map(|view| format!("step {}", group_digits(view.step))))
    };
    let rows = move || {
        let floor = floor.get();
        let fields = state.fields.get().map(|view| view.fields).unwrap_or_default();
        fields.into_iter().map(|loss| show_row(loss, floor.as_deref())).collect_view()
    };
    let saved = move || {
        let FieldView { step, fields } = state.fields.get()?;
        let floor = floor.get();
        let name = name_saved(state, step, "loss by part");
        let rows = fields.iter().map(|loss| loss.field.name().to_owned()).collect();
        let columns = ["best possible", "training", "validation", "bits above floor"];
        let numbers = fields.iter().flat_map(|loss| list_numbers(loss, floor.as_deref()));
        let numbers = numbers.map(|number| number.unwrap_or(f64::NAN) as f32).collect();
        Some(Saved::table(name, "Loss by part", rows, &columns, numbers))
    };
    view! {
        <details open class="fields" hidden=move || state.fields.with(Option::is_none)>
            <summary>"Loss by part"<span class="hint">{live(move || step().unwrap_or_default())}</span></summary>
            <div class="shares-box">
                <table data-testid="fields" aria-label="Loss by part">
                    <thead>
                        <tr>
                            <th scope="col">"Part"</th>
                            <th scope="col">"Best possible"</th>
                            <th scope="col">"Training"</th>
                            <th scope="col">"Validation"</th>
                            <th scope="col">"Above floor (bits)"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <div class="heading">
                <p class="hint">{live(hint)}</p>
                {save_menu(saved)}
            </div>
        </details>
    }
}

/// The floor, the losses in training and validation, in nats, and what is above the floor, in bits.
fn list_numbers(loss: &FieldLoss, floor: Option<&Floor>) -> [Option<f64>; 4] {
    let part = floor.and_then(|floor| floor.field(loss.field));
    [
        part.map(|part| part.nats_per_char()),
        loss.train.map(f64::from),
        loss.val.map(f64::from),
        floor.and_then(|floor| loss.excess_bits(floor)),
    ]
}

fn show_row(loss: FieldLoss, floor: Option<&Floor>) -> impl IntoView + use<> {
    let [floor, train, validation, excess] = list_numbers(&loss, floor);
    let show = |value: Option<f64>| value.map_or("—".into(), |value| show_loss(value, 3));
    view! {
        <tr>
            <th scope="row">{loss.field.name()}</th>
            <td>{show(floor)}</td>
            <td>{show(train)}</td>
            <td>{show(validation)}</td>
            <td class="excess">{excess.map_or("—".into(), |bits| format!("{bits:+.3}"))}</td>
        </tr>
    }
}
