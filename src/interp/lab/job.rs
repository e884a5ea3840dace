//! An analysis as a job: worked out a piece at a time, drawn as figures at any time.

use std::sync::Arc;

use super::analysis::Work;
use super::error::RequestError;
use super::fit::check_fit;
use super::snapshot::Snapshot;
use super::subject::Subject;
use super::{corrupt, less, registry};
use crate::figure::Figure;
use crate::interp::analysis::Head;
use crate::run::{ActivationIntervention, AnalysisRequest, AnalysisResult, Input, Intervention};

/// An analysis under way.
pub struct AnalysisJob {
    source: Source,
    work: Box<dyn Work>,
    /// The same analysis of another model, whose figures are subtracted from these, and its name.
    baseline: Option<(String, Box<AnalysisJob>)>,
}

/// The model and the inputs of an analysis.
struct Source {
    model: Arc<Snapshot>,
    /// The model before weights were changed.
    unchanged: Arc<Snapshot>,
    /// Means of the folded weights, if folding was requested: see `View::means`.
    means: Option<Vec<f64>>,
    request: AnalysisRequest,
    interventions: Vec<ActivationIntervention>,
    ids: Vec<u32>,
}

impl Source {
    /// # Errors
    /// If the model's weights do not fit its layout.
    fn subject(&self) -> Result<Subject<'_>, RequestError> {
        let Self { model, unchanged, means, request, interventions, ids } = self;
        let view = model.view()?;
        let view = match means {
            Some(means) => view.folded_with(means.clone()),
            None => view,
        };
        Ok(Subject { model, unchanged, view, request, interventions, ids })
    }
}

impl AnalysisJob {
    /// Analyses a model and, if a baseline is given, how it differs from that. The interventions are on the model only.
    ///
    /// # Errors
    /// If one of them lacks what is to be analysed.
    pub fn with_baseline(
        model: Arc<Snapshot>,
        baseline: Option<(String, Arc<Snapshot>)>,
        request: AnalysisRequest,
    ) -> Result<Self, RequestError> {
        let own = Self::new(model, request)?;
        let baseline = match baseline {
            Some((name, baseline)) => match Self::new(baseline, without_interventions(own.request())) {
                Ok(job) => Some((name, Box::new(job))),
                Err(error) => return Err(RequestError::Unlike { name, why: error.to_string() }),
            },
            None => None,
        };
        Ok(Self { baseline, ..own })
    }

    /// # Errors
    /// If the model lacks what is to be analysed.
    pub fn new(unchanged: Arc<Snapshot>, request: AnalysisRequest) -> Result<Self, RequestError> {
        let analysis = registry::find(&request.analysis)?;
        let (interventions, weights) = Intervention::split(&request.interventions);
        check_fit(&unchanged.config, &unchanged.layout, &request.interventions)?;
        let model = match weights.is_empty() {
            true => unchanged.clone(),
            false => Arc::new(unchanged.changed(&weights)?),
        };
        let entry = analysis.entry();
        let takes_prompt = entry.takes(Input::Prompt);
        let ids = if takes_prompt { model.encode(&request.prompt)? } else { Vec::new() };
        if entry.takes(Input::Head) {
            model.view()?.check_head(Head { layer: request.layer, head: request.head })?;
        }
        // Folded once: every piece of the work and every drawing looks at the same weights.
        let means = match request.is_folded && entry.takes(Input::Folding) {
            true => model.view()?.folded().means().map(<[f64]>::to_vec),
            false => None,
        };
        let mut source = Source { model, unchanged, means, request, interventions, ids };
        if entry.takes(Input::SecondPrompt) && source.request.other.is_empty() {
            let default = AnalysisRequest::default();
            let request = if entry.takes(Input::Tokens) { &source.request } else { &default };
            let other = corrupt::corrupt(&Subject { request, ..source.subject()? })?;
            source.request.other = other;
        }
        let work = analysis.start(&source.subject()?)?;
        Ok(Self { source, work, baseline: None })
    }

    /// Does one more piece; `false` if all is done.
    ///
    /// # Errors
    /// If the analysis cannot go on.
    pub fn advance(&mut self) -> Result<bool, RequestError> {
        let baseline_has_more = match &mut self.baseline {
            Some((_, baseline)) => baseline.advance()?,
            None => false,
        };
        Ok(self.work.advance(&self.source.subject()?)? || baseline_has_more)
    }

    /// The request, with the second prompt that was proposed if none was typed.
    pub fn request(&self) -> &AnalysisRequest {
        &self.source.request
    }

    /// The model's step.
    pub fn step(&self) -> usize {
        self.source.model.step
    }

    /// The result so far.
    pub fn progress(&self, is_done: bool) -> AnalysisResult {
        AnalysisResult {
            analysis: self.source.request.analysis.clone(),
            other: self.source.request.other.clone(),
            step: self.step(),
            baseline: self.baseline.as_ref().map(|(name, _)| name.clone()),
            is_done,
            figures: self.figures().map_err(|error| error.to_string()),
        }
    }

    /// # Errors
    /// If the model lacks what is to be analysed.
    pub fn figures(&self) -> Result<Vec<Figure>, RequestError> {
        let figures = self.own_figures()?;
        let Some((name, baseline)) = &self.baseline else { return Ok(figures) };
        let others = baseline.own_figures()?;
        if figures.len() != others.len() {
            let why = format!("{} figures against {}", figures.len(), others.len());
            return Err(RequestError::Unlike { name: name.clone(), why });
        }
        let pairs = figures.into_iter().zip(&others);
        let less = pairs.map(|(figure, other)| less::less(figure, other, name));
        let unlike = |why| RequestError::Unlike { name: name.clone(), why };
        less.collect::<Result<_, _>>().map_err(unlike)
    }

    fn own_figures(&self) -> Result<Vec<Figure>, RequestError> {
        self.work.figures(&self.source.subject()?)
    }
}

fn without_interventions(request: &AnalysisRequest) -> AnalysisRequest {
    AnalysisRequest { interventions: Vec::new(), ..request.clone() }
}
