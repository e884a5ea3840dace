//! Properties of the browser's navigator.

use js_sys::{JsString, Reflect};
use js_sys::wasm_bindgen::JsValue;

/// The navigator's property `name`; undefined if the browser has none.
pub fn get(name: &str) -> JsValue {
    let of = |object: &JsValue, name: &str| Reflect::get(object, &JsString::from(name)).unwrap_or_default();
    of(&of(&js_sys::global(), "navigator"), name)
}
