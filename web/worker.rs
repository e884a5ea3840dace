//! The worker: runs a session, with commands from the page and events to it.

mod crew;
mod hand;
mod helper;
mod post;
mod trial;
mod wire;

use std::rc::Rc;

use confab::protocol::{Command, Event};
use confab::session::RunStorage;
use futures::channel::mpsc;
use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::MessageEvent;

use post::{post, post_last_words, scope};

unsafe extern "C" {
    /// Runs the constructors by which CubeCL registers its operations. A linker that finds no call
    /// of this puts one into every exported function, and the browser calls thousands a step.
    fn __wasm_call_ctors();
}

fn main() {
    // SAFETY: it is called once, before anything that was to be constructed is used.
    unsafe { __wasm_call_ctors() };
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        post_last_words(&info.to_string());
    }));
    if scope().name() == helper::HELPER {
        return helper::help();
    }
    let (sender, commands) = mpsc::unbounded();
    let receive = move |event: &web_sys::Event| {
        let message: &MessageEvent = event.unchecked_ref();
        match wire::decode::<Command>(&message.data()) {
            Ok(command) => drop(sender.unbounded_send(command)),
            Err(reason) => emit(Event::Notice {
                text: format!("A command of the page was not understood: {reason}."),
            }),
        }
    };
    EventListener::new(&scope(), "message", receive).forget();
    let cores = scope().navigator().hardware_concurrency() as usize;
    let crew = Rc::new(crew::Helpers::new(emit, cores));
    wasm_bindgen_futures::spawn_local(confab::session::run(
        commands,
        emit,
        RunStorage::opfs(),
        crew,
    ));
}

fn emit(event: Event) {
    if let Err(reason) = post(&event) {
        post_last_words(&reason);
    }
}
