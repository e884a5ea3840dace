//! The state of a session.

use std::rc::Rc;

use web_time::Instant;

use super::analysis_view::AnalysisView;
use super::aside::Aside;
use super::jobs::Job;
use super::pace::Pace;
use super::saved::Saved;
use super::steps::Steps;
use super::storage::RunStorage;
use super::throttle::Throttle;
use super::undo::Undo;
use crate::codec::CodecRun;
use crate::device::OpenDevice;
use crate::export::Film;
use crate::generate::Sampler;
use crate::interp::trace::Logits;
use crate::learn::{Crew, Trainer};
use crate::protocol::{Event, SampleOptions};
use crate::run::Intervention;

/// A run, and the work on it. `emit` is called with each event.
pub(super) struct Session<E: Fn(Event)> {
    pub(super) emit: E,
    pub(super) store: RunStorage,
    pub(super) crew: Rc<dyn Crew>,
    /// Name of the run in the storage.
    pub(super) run: String,
    pub(super) device: Option<OpenDevice>,
    pub(super) trainer: Option<Trainer>,
    /// The run, if it is one of the noise codec: then there is no trainer.
    pub(super) codec: Option<CodecRun>,
    pub(super) running: bool,
    pub(super) sampler: Option<Sampler>,
    pub(super) job: Option<Box<dyn Job>>,
    /// The prompt that is inspected, and how its characters are drawn.
    pub(super) inspected: SampleOptions,
    /// Numbers of the questions that are asked.
    pub(super) questions: Vec<u64>,
    /// The logits of the last trace.
    pub(super) logits: Option<Logits>,
    pub(super) steps: Steps,
    /// Interventions on the model that is shown.
    pub(super) ablations: Vec<Intervention>,
    pub(super) undo: Undo,
    pub(super) pace: Pace,
    pub(super) trace_throttle: Throttle,
    pub(super) analysis: AnalysisView,
    /// Time of the job's last report.
    pub(super) last_report: Option<Instant>,
    pub(super) saved: Saved,
    pub(super) aside: Aside,
    /// The film that is being made.
    pub(super) film: Option<Film>,
}

impl<E: Fn(Event)> Session<E> {
    pub(super) fn new(emit: E, store: RunStorage, crew: Rc<dyn Crew>) -> Self {
        Self {
            emit,
            run: store.new_run(),
            store,
            crew,
            device: None,
            trainer: None,
            codec: None,
            running: false,
            sampler: None,
            job: None,
            inspected: SampleOptions { prompt: String::new(), ..SampleOptions::default() },
            questions: Vec::new(),
            logits: None,
            steps: Steps::new(),
            ablations: Vec::new(),
            undo: Undo::default(),
            pace: Pace::new(),
            trace_throttle: Throttle::new(),
            analysis: AnalysisView::new(),
            last_report: None,
            saved: Saved::at(0),
            aside: Aside::default(),
            film: None,
        }
    }

    pub(super) fn notice(&self, text: impl Into<String>) {
        (self.emit)(Event::Notice { text: text.into() });
    }

    /// Tells an error as a sentence of its own.
    pub(super) fn notice_sentence(&self, error: &dyn std::fmt::Display) {
        let text = error.to_string();
        let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        self.notice(format!("{}{rest}.", first.to_uppercase()));
    }

    pub(super) fn refuse(&self, reason: impl ToString) {
        (self.emit)(Event::Refused { reason: reason.to_string() });
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.running && self.sampler.is_none() && self.job.is_none() && self.analysis.is_idle()
    }
}
