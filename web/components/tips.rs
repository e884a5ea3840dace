use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Room for a tip's two or three lines, in pixels.
const ROOM: f64 = 90.0;

/// Shows the title of what the keyboard focuses or a finger touches, as a pointer's hovering does. Escape puts it away.
#[component]
pub fn Tips() -> impl IntoView {
    let shown = RwSignal::new(None::<(String, String)>);
    let titled = |target: Option<web_sys::EventTarget>| {
        let element = target.and_then(|target| target.dyn_into::<Element>().ok())?;
        element.closest("[title]").ok().flatten()
    };
    let focus = window_event_listener(ev::focusin, move |event| {
        let element = titled(event.target());
        let by_keyboard = |of: &Element| {
            of.query_selector(":focus-visible").ok().flatten().is_some()
                || of.matches(":focus-visible").unwrap_or(false)
        };
        shown.set(element.filter(by_keyboard).and_then(|element| describe(&element)));
    });
    let touch = window_event_listener(ev::pointerdown, move |event| {
        let element = titled(event.target()).filter(|_| event.pointer_type() == "touch");
        shown.set(element.and_then(|element| describe(&element)));
    });
    let leave = window_event_listener(ev::focusout, move |_| shown.set(None));
    let press = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            shown.set(None);
        }
    });
    on_cleanup(move || {
        [focus, touch, leave, press].map(|listener| listener.remove()).into_iter().for_each(drop)
    });
    move || {
        shown.get().map(|(text, place)| {
            view! { <p class="tip-of" role="tooltip" style=place>{text}</p> }
        })
    }
}

/// The title of an element, and where its tip stands: below it, or above it where there is no room.
fn describe(element: &Element) -> Option<(String, String)> {
    let text = element.get_attribute("title").filter(|text| !text.is_empty())?;
    let of = element.get_bounding_client_rect();
    let window = crate::browser::window();
    let size = |value: Result<wasm_bindgen::JsValue, _>| {
        value.ok().and_then(|v: wasm_bindgen::JsValue| v.as_f64()).unwrap_or(0.0)
    };
    let (width, height) = (size(window.inner_width()), size(window.inner_height()));
    let left = of.left().min(width - 300.0).max(8.0);
    // What is wrong stands below.
    let is_wrong = element.query_selector("[aria-invalid=true]").ok().flatten().is_some();
    let place = match of.bottom() + ROOM < height && !is_wrong {
        true => format!("left:{left}px;top:{}px", of.bottom() + 6.0),
        false => format!("left:{left}px;bottom:{}px", height - of.top() + 6.0),
    };
    Some((text, place))
}
