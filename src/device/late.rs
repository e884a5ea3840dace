//! Browsers that tell late what a GPU has finished.
//!
//! Firefox looks for it ten times a second (its bug 1870699), and whenever something is submitted. Each read would take a
//! tenth of a second, in which a small model could train a hundred steps.

use std::cell::RefCell;
use std::pin::pin;

use burn::tensor::wgpu::wgpu::Queue;
use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;

use super::navigator;

thread_local! {
    /// True if the browser is late.
    static IS_LATE: bool = {
        navigator::get("userAgent").as_string().is_some_and(|agent| agent.contains("Firefox/"))
    };
    /// Queue of the GPU that was opened.
    static QUEUE: RefCell<Option<Queue>> = const { RefCell::new(None) };
}

/// Sets the queue of the GPU that [`attend`] looks after.
pub fn look_after(queue: &Queue) {
    QUEUE.set(Some(queue.clone()));
}

/// The result of `work`. A browser that is late is made to look for what the GPU has finished, as often as its timers allow.
pub async fn attend<T>(work: impl Future<Output = T>) -> T {
    if !IS_LATE.with(|is_late| *is_late) {
        return work.await;
    }
    let mut work = pin!(work);
    loop {
        match select(work, TimeoutFuture::new(1)).await {
            Either::Left((result, _)) => return result,
            Either::Right((_, rest)) => work = rest,
        }
        if let Some(queue) = QUEUE.with_borrow(Clone::clone) {
            queue.submit([]);
        }
    }
}
