//! Commands and events as bytes: postcard in a `Uint8Array`, whose buffer is handed over.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

/// The bytes of `message`, and the list of buffers to hand over with them.
pub fn encode(message: &impl Serialize) -> Result<(Uint8Array, Array), String> {
    let bytes = postcard::to_allocvec(message).map_err(|error| error.to_string())?;
    let array = Uint8Array::from(bytes.as_slice());
    let buffers = Array::of1(&array.buffer());
    Ok((array, buffers))
}

pub fn decode<T: DeserializeOwned>(data: &JsValue) -> Result<T, String> {
    let array: &Uint8Array = data.dyn_ref().ok_or("it is not a byte array")?;
    postcard::from_bytes(&array.to_vec()).map_err(|error| error.to_string())
}
