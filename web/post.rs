//! What a worker says to the one that started it.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Says why this worker is of no more use, so that another one takes its place. The only message that is a plain string.
pub fn post_last_words(reason: &str) {
    let _ = scope().post_message(&JsValue::from_str(reason));
}
