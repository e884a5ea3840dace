//! Messages from a worker to the one that started it.

use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

use crate::wire;

pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// # Errors
/// If the message cannot be sent.
pub fn post(message: &impl Serialize) -> Result<(), String> {
    let (bytes, buffers) = wire::encode(message)?;
    let sent = scope().post_message_with_transfer(&bytes, &buffers);
    sent.map_err(|error| format!("a message could not be sent: {error:?}"))
}

/// Says why this worker is of no more use, so that another one takes its place. The only message that is a plain string.
pub fn post_last_words(reason: &str) {
    let _ = scope().post_message(&JsValue::from_str(reason));
}
