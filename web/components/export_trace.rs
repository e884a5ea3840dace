use confab::base::json::Json;
use confab::protocol::{Expected, Trace};
use leptos::prelude::*;

use super::controls::button;
use super::save::name_saved;
use crate::browser;
use crate::state::{State, use_state};

/// The meaning of the file's numbers, and what is missing.
const NOTE: &str = "Logarithms are natural. token_log_probabilities gives each token's log-probability \
     after the tokens before it. It is null for the first token and 0 for memory tokens, which no model \
     predicts. after describes the prediction after each token. Only the likeliest alternatives are \
     included: log-probabilities and logits of the other tokens are missing. All are at `temperature`, over \
     the whole vocabulary. attention is [layer][head][query][key], and 0 for keys after the query. If less \
     names a model, its attention is subtracted. ablations are those of the model.";

/// Saves tokens, predictions and all patterns of the prompt in one file.
#[component]
pub fn ExportTrace() -> impl IntoView {
    let state = use_state();
    let save = move || {
        let Some(trace) = state.trace.get_untracked() else { return };
        let expected = state.expected.get_untracked().unwrap_or_default();
        let name = untrack(|| name_saved(state, trace.step, "trace"));
        let json = describe(state, &trace, &expected);
        let saved = browser::download(&format!("{name}.json"), "application/json", json.as_bytes());
        if let Err(reason) = saved {
            state.notify(format!("The trace could not be saved: {reason}."));
        }
    };
    button(
        "Export trace",
        "Save tokens, log-probabilities, logits and the attention of every head as JSON",
        save,
    )
}

fn describe(state: State, trace: &Trace, expected: &Expected) -> String {
    let mut json = Json::default();
    json.open('{');
    json.key("note");
    json.text(NOTE);
    json.key("model");
    json.text(
        &state.model.with_untracked(|model| {
            model.as_ref().map_or(String::new(), |model| model.name.clone())
        }),
    );
    json.key("step");
    json.count(trace.step);
    json.key("ablations");
    json.texts(
        &state.ablations.with_untracked(|all| {
            all.iter().map(|ablation| ablation.to_string()).collect::<Vec<_>>()
        }),
    );
    json.key("less");
    match &trace.against {
        Some(name) => json.text(name),
        None => json.null(),
    }
    json.key("temperature");
    json.number(1.0);
    json.key("prompt_tokens");
    json.count(trace.prompt_len);
    json.key("tokens");
    json.texts(&trace.tokens);
    describe_predictions(&mut json, expected);
    json.key("attention");
    let count = trace.tokens.len();
    json.array(&trace.patterns, &[trace.n_layers, trace.n_heads, count, count]);
    json.close('}');
    json.finish()
}

fn describe_predictions(json: &mut Json, expected: &Expected) {
    json.key("token_log_probabilities");
    json.open('[');
    json.null();
    expected.costs.iter().for_each(|cost| json.number(0.0 - cost.loss));
    json.close(']');
    json.key("after");
    json.open('[');
    for (index, alternatives) in expected.next.iter().enumerate() {
        json.open('{');
        json.key("entropy");
        json.number(expected.entropies.get(index).copied().unwrap_or(f32::NAN));
        json.key("alternatives");
        json.open('[');
        for alternative in alternatives {
            json.open('{');
            json.key("token");
            json.text(&alternative.token);
            json.key("log_probability");
            json.number(f64::from(alternative.probability).ln() as f32);
            json.key("logit");
            json.number(alternative.logit);
            json.close('}');
        }
        json.close(']');
        json.close('}');
    }
    json.close(']');
}
