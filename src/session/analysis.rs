//! The requested analysis: worked on a piece at a time, again and again while the model trains.

use std::sync::Arc;

use web_time::{Duration, Instant};

use super::state::Session;
use super::throttle::{REPORT_EVERY, Throttle};
use crate::interp::lab::{AnalysisJob, RequestError};
use crate::protocol::Event;
use crate::run::{AnalysisRequest, AnalysisResult};

/// Longest that pieces are done before the session does anything else.
const AT_A_TIME: Duration = Duration::from_millis(20);

impl<E: Fn(Event)> Session<E> {
    /// Works on the analysis for a moment, if one is requested.
    pub(super) async fn analyse(&mut self) {
        if std::mem::take(&mut self.analysis.is_due) {
            self.analysis.spent = Duration::ZERO;
            if !self.begin_analysis().await {
                return;
            }
        }
        let Some(mut job) = self.analysis.job.take() else { return };
        let start = Instant::now();
        let is_done = loop {
            match job.advance() {
                Ok(true) if start.elapsed() < AT_A_TIME => {}
                Ok(more) => break !more,
                Err(error) => {
                    self.analysis.spent += start.elapsed();
                    return self.refuse_analysis(job.request(), job.step(), &error);
                }
            }
        };
        if is_done || self.analysis.last_report.elapsed() > REPORT_EVERY {
            (self.emit)(Event::Analysed(Box::new(job.progress(is_done))));
            self.analysis.last_report = Instant::now();
        }
        self.analysis.spent += start.elapsed();
        if is_done {
            self.analysis.throttle = Throttle::after(self.analysis.spent);
        } else {
            self.analysis.job = Some(job);
        }
    }

    /// Reads the model as it is now and prepares the requested analysis; `false` if there is none.
    async fn begin_analysis(&mut self) -> bool {
        if let (Some(request), Some(run)) = (&self.analysis.request, &self.codec) {
            let start = Instant::now();
            self.analyse_codec(run, request);
            self.analysis.throttle = Throttle::after(start.elapsed());
            return false;
        }
        let (Some(mut request), Some(trainer)) = (self.analysis.request.clone(), &self.trainer) else {
            return false;
        };
        request.interventions.extend(self.ablations.clone());
        let start = Instant::now();
        let wanted = self.steps.visited().map_or(trainer.step, |(step, _)| step);
        let known = self.analysis.model.take().filter(|model| model.step == wanted);
        let model = match known {
            Some(model) => model,
            None => match self.read_shown(trainer).await {
                Ok(model) => Arc::new(model),
                Err(error) => {
                    self.recover(error).await;
                    return false;
                }
            },
        };
        self.analysis.model = Some(model.clone());
        let step = model.step;
        let baseline = self.steps.baseline();
        match AnalysisJob::with_baseline(model, baseline, request.clone()) {
            // A second prompt that was proposed stays while the model trains on.
            Ok(job) => {
                if let Some(request) = &mut self.analysis.request {
                    request.other = job.request().other.clone();
                }
                self.analysis.job = Some(job);
            }
            Err(error) => {
                self.analysis.spent += start.elapsed();
                self.refuse_analysis(&request, step, &error);
                return false;
            }
        }
        self.analysis.spent += start.elapsed();
        true
    }

    fn refuse_analysis(&mut self, request: &AnalysisRequest, step: usize, error: &RequestError) {
        self.analysis.throttle = Throttle::after(self.analysis.spent);
        let figures = Err(error.to_string());
        let (analysis, other) = (request.analysis.clone(), request.other.clone());
        let result =
            AnalysisResult { analysis, other, step, baseline: None, is_done: true, figures };
        (self.emit)(Event::Analysed(Box::new(result)));
    }
}
