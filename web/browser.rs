//! Requests of the page to the browser: files, downloads, the clipboard, the address, the theme.

use confab::base::plot::size_of;
use confab::base::text::{Encoding, FileText, NO_TEXT};
use gloo_events::EventListener;
use gloo_file::futures::read_as_bytes;
use gloo_file::{Blob, File, FileReadError, ObjectUrl};
use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DragEvent, Element, FileList, HtmlAnchorElement, HtmlCanvasElement, HtmlImageElement,
};
use web_sys::{Response, Window};

use crate::view::View;

const NO_CANVAS: &str = "the browser gave no canvas";

pub fn window() -> Window {
    leptos::prelude::window()
}

/// The bytes at `url`, relative to the page; `None` if there are none.
pub async fn fetch_bytes(url: &str) -> Option<Vec<u8>> {
    let response = JsFuture::from(window().fetch_with_str(url)).await.ok()?;
    let response: Response = response.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
    Some(js_sys::Uint8Array::new(&buffer).to_vec())
}

pub async fn read_bytes(file: &Blob) -> Result<Vec<u8>, String> {
    read_as_bytes(file).await.map_err(|error| match error {
        FileReadError::NotFound(reason)
        | FileReadError::NotReadable(reason)
        | FileReadError::Security(reason) => reason,
        FileReadError::AbortedEarly => error.to_string(),
    })
}

pub async fn read_text(file: &Blob) -> Result<FileText, String> {
    let bytes = read_bytes(file).await?;
    for encoding in Encoding::guess(&bytes) {
        let options = js_sys::Object::new();
        // A new object takes any property.
        let _ = js_sys::Reflect::set(&options, &"fatal".into(), &JsValue::TRUE);
        let decoder = TextDecoder::new(encoding.label(), &options);
        if let Ok(text) = decoder.decode(&bytes) {
            return Ok(FileText::new(text, encoding));
        }
    }
    Err(NO_TEXT.into())
}

/// The number that the element under an event, or one around it, has as `data-at`.
pub fn place_of(event: &web_sys::Event) -> Option<usize> {
    let element: Element = event.target()?.dyn_into().ok()?;
    element.closest("[data-at]").ok()??.get_attribute("data-at")?.parse().ok()
}

/// Tells if files are dragged, not text.
pub fn has_files(event: &DragEvent) -> bool {
    let types =
        transferred(event, "types").and_then(|types| types.dyn_into::<js_sys::Array>().ok());
    types.is_some_and(|types| types.includes(&"Files".into(), 0))
}

/// The files that a drop brings.
pub fn dropped_files(event: &DragEvent) -> Vec<File> {
    let files = transferred(event, "files").and_then(|files| files.dyn_into::<FileList>().ok());
    list_files(files)
}

/// The files of a list that the browser may have given.
pub fn list_files(files: Option<FileList>) -> Vec<File> {
    files.map_or(Vec::new(), |files| gloo_file::FileList::from(files).to_vec())
}

fn transferred(event: &DragEvent, what: &str) -> Option<JsValue> {
    let transfer = js_sys::Reflect::get(event, &"dataTransfer".into()).ok()?;
    js_sys::Reflect::get(&transfer, &what.into()).ok()
}

/// Width of a chart in `holder`, in pixels.
pub fn chart_width(holder: &web_sys::Element) -> u32 {
    const NARROWEST: u32 = 240;
    u32::try_from(holder.client_width()).unwrap_or_default().max(NARROWEST)
}

/// Lets the user keep `bytes` as a file called `name`.
pub fn download(name: &str, mime: &str, bytes: &[u8]) -> Result<(), String> {
    // A copy, for a view of WASM memory may move while the blob is made.
    let bytes = js_sys::Uint8Array::from(bytes).buffer();
    let url = ObjectUrl::from(Blob::new_with_options(bytes, Some(mime)));
    let clicked = click_download(name, &url);
    // The download has begun by the next minute; until then the URL must stay.
    Timeout::new(60_000, move || drop(url)).forget();
    clicked
}

fn click_download(name: &str, url: &str) -> Result<(), String> {
    let anchor = leptos::prelude::document().create_element("a").map_err(describe)?;
    let anchor: HtmlAnchorElement = anchor.unchecked_into();
    anchor.set_href(url);
    anchor.set_download(name);
    anchor.click();
    Ok(())
}

/// Draws `svg` at twice its size and lets the user keep it as a PNG file called `name`.
pub async fn download_png(name: &str, svg: &str) -> Result<(), String> {
    let canvas = draw(svg, 2).await?;
    click_download(name, &canvas.to_data_url().map_err(describe)?)
}

/// Draws an SVG of ours at `scale` times its size.
pub async fn draw(svg: &str, scale: u32) -> Result<HtmlCanvasElement, String> {
    let (width, height) = size_of(svg);
    let image = HtmlImageElement::new_with_width_and_height(width, height).map_err(describe)?;
    let encoded: String = js_sys::encode_uri_component(svg).into();
    image.set_src(&format!("data:image/svg+xml;charset=utf-8,{encoded}"));
    JsFuture::from(image.decode()).await.map_err(describe)?;
    let canvas = leptos::prelude::document().create_element("canvas").map_err(describe)?;
    let canvas: HtmlCanvasElement = canvas.unchecked_into();
    canvas.set_width(width * scale);
    canvas.set_height(height * scale);
    let context = context_2d(&canvas).ok_or(NO_CANVAS)?;
    context
        .draw_image_with_html_image_element_and_dw_and_dh(
            &image,
            0.0,
            0.0,
            f64::from(width * scale),
            f64::from(height * scale),
        )
        .map_err(describe)?;
    Ok(canvas)
}

/// The pixels of `canvas`, `[y, x, RGBA]`.
pub fn read_pixels(canvas: &HtmlCanvasElement) -> Result<Vec<u8>, String> {
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let context = context_2d(canvas).ok_or(NO_CANVAS)?;
    let pixels = context.get_image_data(0.0, 0.0, width, height).map_err(describe)?;
    Ok(pixels.data().0)
}

/// Reads the picture on `canvas` as a PNG file.
pub async fn read_png(canvas: &HtmlCanvasElement) -> Result<Vec<u8>, String> {
    let made = js_sys::Promise::new(&mut |resolve, reject| {
        if let Err(error) = canvas.to_blob(&resolve) {
            // Nobody else waits for it.
            let _ = reject.call1(&JsValue::NULL, &error);
        }
    });
    let blob = JsFuture::from(made).await.map_err(describe)?;
    let blob: web_sys::Blob = blob.dyn_into().map_err(|_| "the browser made no PNG of it")?;
    read_bytes(&blob.into()).await
}

pub fn context_2d(canvas: &HtmlCanvasElement) -> Option<web_sys::CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// Cores of the machine, of which a browser may tell fewer.
pub fn cores() -> usize {
    (window().navigator().hardware_concurrency() as usize).max(1)
}

/// The fragment of the page's address, with its `#`.
pub fn read_fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Tells if the page's address is a link to an experiment or a trained model, and not to a view only.
pub fn has_link() -> bool {
    let fragment = read_fragment();
    fragment.len() > 1 && View::of_fragment(&fragment).is_none()
}

/// Tells if the inspector stands beside the other panels: see style.css.
pub fn is_wide() -> bool {
    matches_media("(min-width: 1181px)")
}

/// The value of `name` in the page's address, `?name` or `?name=value`.
pub fn query(name: &str) -> Option<String> {
    let search = window().location().search().unwrap_or_default();
    let mut pairs = search.trim_start_matches('?').split('&');
    pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| value.to_owned())
    })
}

/// The page's address with its fragment, but without `?` and what follows it.
pub fn address_without_query() -> String {
    let path = window().location().pathname().unwrap_or_default();
    path + &read_fragment()
}

/// Puts `fragment` into the address without a `hashchange`, and gives the whole address.
pub fn write_fragment(fragment: &str) -> String {
    let href = window().location().href().unwrap_or_default();
    let base = href.split('#').next().unwrap_or_default();
    let url = format!("{base}#{fragment}");
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&url));
    }
    url
}

/// `text` in small letters. The browser has their table, which would be 5 kB of the page.
pub fn lower_case(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Copies `text`; `false` if the browser does not allow it.
pub async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into())
        .is_ok_and(|clipboard| clipboard.is_object());
    has_clipboard && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Keeps `text` under `key` for later visits; `false` if the browser does not.
pub fn keep_text(key: &str, text: &str) -> bool {
    let storage = window().local_storage().ok().flatten();
    storage.is_some_and(|storage| storage.set_item(key, text).is_ok())
}

/// The text that an earlier visit, or another tab, has kept under `key`.
pub fn kept_text(key: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(key).ok()?
}

fn matches_media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|media| media.matches())
}

/// A signal that the user's theme is dark, kept up to date.
pub fn watch_dark_theme() -> RwSignal<bool> {
    const QUERY: &str = "(prefers-color-scheme: dark)";
    let dark = RwSignal::new(matches_media(QUERY));
    if let Ok(Some(media)) = window().match_media(QUERY) {
        let follow = move |_: &_| dark.set(matches_media(QUERY));
        // The listener and its list must outlive this function for events to come.
        std::mem::forget(EventListener::new(&media, "change", follow));
    }
    dark
}

/// A signal that changes with the size of `holder`: once it has been laid out, and whenever it gets another room.
pub fn watch_size(holder: NodeRef<html::Div>) -> RwSignal<usize> {
    let changes = RwSignal::new(0);
    Effect::new(move |_| {
        let Some(holder) = holder.get() else { return };
        // With the next frame, for what follows may change the size again. All may be gone by then.
        let tell = move || {
            request_animation_frame(move || {
                if let Some(count) = changes.try_get_untracked() {
                    changes.set(count + 1);
                }
            });
        };
        // The closure lives as long as the observer, and that as long as the holder.
        let tell = Closure::<dyn Fn()>::new(tell).into_js_value();
        ResizeObserver::new(tell.unchecked_ref()).observe(&holder);
    });
    changes
}

/// Asks for the whole screen for `element`; where the browser refuses, it stays as it is.
pub fn fill_screen(element: &Element) {
    if let Ok(asked) = element.unchecked_ref::<Screen>().request_fullscreen() {
        spawn_local(async move { drop(JsFuture::from(asked).await) });
    }
}

#[wasm_bindgen]
extern "C" {
    type ResizeObserver;
    #[wasm_bindgen(constructor)]
    fn new(act: &js_sys::Function) -> ResizeObserver;
    #[wasm_bindgen(method)]
    fn observe(this: &ResizeObserver, element: &Element);
    type Screen;
    /// `web_sys` drops the promise, whose refusal would then be an error of the page.
    #[wasm_bindgen(method, catch, js_name = requestFullscreen)]
    fn request_fullscreen(this: &Screen) -> Result<js_sys::Promise, JsValue>;

    type TextDecoder;
    #[wasm_bindgen(constructor)]
    fn new(encoding: &str, options: &js_sys::Object) -> TextDecoder;
    #[wasm_bindgen(method, catch)]
    fn decode(this: &TextDecoder, bytes: &[u8]) -> Result<String, JsValue>;
    #[wasm_bindgen(js_name = String)]
    fn to_text(value: &JsValue) -> String;
}

/// Text of an error of the browser's.
pub fn describe(error: JsValue) -> String {
    to_text(&error)
}
