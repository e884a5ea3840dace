//! Errands of a sweep or an evaluation that are under way.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;

use crate::device;
use crate::learn::{Brought, Crew, Elsewhere, Errand};

/// Time between looks at work that only others do.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);

/// Errands under way, each with what it is for.
pub(super) struct Errands<T> {
    crew: Rc<dyn Crew>,
    under_way: Vec<(T, Elsewhere)>,
}

impl<T> Errands<T> {
    pub(super) fn new(crew: Rc<dyn Crew>) -> Self {
        Self { crew, under_way: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Sends a worker that is free on an errand for `of`, which comes back if none is.
    pub(super) fn send(&mut self, of: T, errand: impl Fn(&T) -> Errand) -> Option<T> {
        match self.crew.send(&|| errand(&of)) {
            Some(elsewhere) => {
                self.under_way.push((of, elsewhere));
                None
            }
            None => Some(of),
        }
    }

    /// Takes out the errands that have ended. Returns each one's purpose and result; `None` if its worker has ended.
    pub(super) fn collect(&mut self) -> Vec<(T, Option<Brought>)> {
        let mut brought = Vec::new();
        for (of, mut elsewhere) in std::mem::take(&mut self.under_way) {
            match (&mut elsewhere).now_or_never() {
                None => self.under_way.push((of, elsewhere)),
                Some(result) => brought.push((of, result)),
            }
        }
        brought
    }
}

/// Waits a little for those who do what is left.
pub(super) async fn rest() {
    device::rest(BETWEEN_LOOKS).await;
}
