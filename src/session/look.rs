//! Looking into the model, a piece at a time, again and again while it trains.

use std::sync::Arc;

use web_time::{Duration, Instant};

use super::Session;
use super::work::{TELL_EVERY, Traced};
use crate::lab::{LookError, Looking, Model};
use crate::look::{Look, Looked};
use crate::protocol::Event;

/// Pieces are done for so long before the session does anything else.
const AT_A_TIME: Duration = Duration::from_millis(20);

/// What is looked at.
pub(super) struct Sight {
    look: Option<Look>,
    /// Whether the model or the look are others than those last looked at.
    is_due: bool,
    /// The weights last read.
    model: Option<Arc<Model>>,
    looking: Option<Looking>,
    /// What the look under way has taken so far.
    spent: Duration,
    told: Instant,
    paced: Traced,
}

impl Sight {
    pub(super) fn new() -> Self {
        Self {
            look: None,
            is_due: false,
            model: None,
            looking: None,
            spent: Duration::ZERO,
            told: Instant::now(),
            paced: Traced::new(),
        }
    }

    /// Looks from now on at this, or at nothing.
    pub(super) fn turn_to(&mut self, look: Option<Look>) {
        self.is_due = look.is_some();
        self.look = look;
        self.looking = None;
    }

    /// The model is another one: no longer that of the same run.
    pub(super) fn forget_model(&mut self) {
        self.model = None;
        self.looking = None;
        self.is_due = self.look.is_some();
    }

    /// The model has trained on; it is looked at again now, or if `is_running` when that is not too
    /// often.
    pub(super) fn follow(&mut self, is_running: bool) {
        let may_begin = !is_running || self.looking.is_none() && self.paced.is_due();
        if self.look.is_some() && may_begin {
            self.is_due = true;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.is_due && self.looking.is_none()
    }
}

impl<E: Fn(Event)> Session<E> {
    /// Looks for a moment, if there is something to look at.
    pub(super) async fn look(&mut self) {
        if std::mem::take(&mut self.sight.is_due) {
            self.sight.spent = Duration::ZERO;
            if !self.begin_look().await {
                return;
            }
        }
        let Some(mut looking) = self.sight.looking.take() else { return };
        let start = Instant::now();
        let is_done = loop {
            match looking.advance() {
                Ok(true) if start.elapsed() < AT_A_TIME => {}
                Ok(more) => break !more,
                Err(error) => {
                    self.sight.spent += start.elapsed();
                    return self.refuse_look(&looking.look, looking.step(), &error);
                }
            }
        };
        if is_done || self.sight.told.elapsed() > TELL_EVERY {
            (self.emit)(Event::Looked(Box::new(looking.standing(is_done))));
            self.sight.told = Instant::now();
        }
        self.sight.spent += start.elapsed();
        if is_done {
            self.sight.paced = Traced::after(self.sight.spent);
        } else {
            self.sight.looking = Some(looking);
        }
    }

    /// Reads the model as it is now and prepares what is to be looked at; `false` if nothing is.
    async fn begin_look(&mut self) -> bool {
        let (Some(look), Some(trainer)) = (self.sight.look.clone(), &self.trainer) else {
            return false;
        };
        let start = Instant::now();
        let visited = self.steps.visited();
        let wanted = visited.map_or(trainer.step, |(step, _)| step);
        let known = self.sight.model.take().filter(|model| model.step == wanted);
        let model = match (known, visited) {
            (Some(model), _) => model,
            (None, Some((step, flat))) => Arc::new(Model::new(trainer, step, flat.clone())),
            (None, None) => match Model::read(trainer).await {
                Ok(model) => Arc::new(model),
                Err(error) => {
                    self.recover(error).await;
                    return false;
                }
            },
        };
        self.sight.model = Some(model.clone());
        let step = model.step;
        let beside = self.steps.beside();
        match Looking::beside(model, beside, look.clone()) {
            Ok(looking) => self.sight.looking = Some(looking),
            Err(error) => {
                self.sight.spent += start.elapsed();
                self.refuse_look(&look, step, &error);
                return false;
            }
        }
        self.sight.spent += start.elapsed();
        true
    }

    fn refuse_look(&mut self, look: &Look, step: usize, error: &LookError) {
        self.sight.paced = Traced::after(self.sight.spent);
        let figures = Err(error.to_string());
        let looked = Looked { what: look.what, step, beside: None, is_done: true, figures };
        (self.emit)(Event::Looked(Box::new(looked)));
    }
}
