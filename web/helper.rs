//! A helper: a worker with the same program, which takes shards of a run's steps, and does errands.

use std::cell::RefCell;
use std::rc::Rc;

use confab::eval::run_errand;
use confab::learn::{Answer, Brought, Errand, Helper, Order};
use gloo_events::EventListener;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::MessageEvent;

use crate::post::{post, post_last_words, scope};
use crate::wire;

/// The name by which a worker knows that it is a helper.
pub const HELPER: &str = "helper";

/// Work for a helper.
#[derive(Serialize, Deserialize)]
pub enum Work {
    Shards(Box<Order>),
    Errand(Errand),
}

/// The result of a work.
#[derive(Serialize, Deserialize)]
pub enum Done {
    Shards(Answer),
    Errand(Brought),
}

/// Works until it is terminated.
pub fn help() {
    let helper = Rc::new(RefCell::default());
    let receive = move |event: &web_sys::Event| {
        let work = wire::decode::<Work>(&event.unchecked_ref::<MessageEvent>().data());
        let helper = helper.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let done = match work {
                Ok(work) => take(work, &helper).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = done.and_then(|done| post(&done)) {
                post_last_words(&reason);
            }
        });
    };
    EventListener::new(&scope(), "message", receive).forget();
    let _ = scope().post_message(&JsValue::TRUE);
}

async fn take(work: Work, helper: &RefCell<Helper>) -> Result<Done, String> {
    match work {
        Work::Shards(order) => helper.borrow_mut().take(*order).map(Done::Shards),
        Work::Errand(errand) => run_errand(errand).await.map(Done::Errand),
    }
}
