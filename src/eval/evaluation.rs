//! Evaluations: a model asked about one record after another.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::ExecutionError;
use web_time::{Duration, Instant};

use super::errands::{Errands, rest};
use super::{facts, mapping, phone, recall};
use crate::base::random::stream_rng;
use crate::generate::{Decoder, Shown, Writer};
use crate::learn::{Brought, Crew, Errand, Trainer};
use crate::report::{EvalOptions, Evaluated, MAX_RECORDS, Report};
use crate::task::{Phone, Task};
use crate::tokenizer::Tokenizer;

/// Fewest records of an errand, and most errands of an evaluation.
const CHUNK: usize = 8;
const MAX_CHUNKS: usize = 32;

/// An evaluation in progress. It keeps the weights from its start, even if training goes on.
///
/// Each record has random numbers and a report of its own, and the reports are added in the order of records. So the sum
/// does not hang on who evaluates which.
pub struct Evaluation {
    writer: Writer,
    tokenizer: Tokenizer,
    task: Task,
    /// The records that it was trained on.
    trained: Task,
    options: EvalOptions,
    /// Training step of the model.
    step: usize,
    /// Sum over the first `done` records.
    report: Report,
    done: usize,
    /// Records that nobody has, and those that are evaluated here.
    left: VecDeque<Range<usize>>,
    own: Range<usize>,
    /// Reports that wait for earlier ones, by their first record.
    waiting: BTreeMap<usize, Vec<Report>>,
    help: Option<Help>,
}

/// Other workers, and the run that they are to evaluate.
struct Help {
    /// The time from which they are asked.
    from: Instant,
    run: Vec<u8>,
    errands: Errands<Range<usize>>,
}

/// Reasons to refuse an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("only records with answers say which are right, as those of phone, facts, spacing and of JSON")]
    Task,
}

impl Evaluation {
    /// Evaluates the run's model, or what is shown in its place.
    ///
    /// # Errors
    /// If the records of the run's task have no answers.
    pub fn new(
        trainer: &Trainer,
        shown: Option<Shown>,
        mut options: EvalOptions,
    ) -> Result<Self, EvalError> {
        options.records = options.records.clamp(1, MAX_RECORDS);
        let report = empty(&trainer.task)?;
        let step = shown.as_ref().map_or(trainer.step, |(step, _)| *step);
        let decoder = Decoder::of(trainer.model(), shown);
        let writer = Writer::with(decoder, &trainer.tokenizer, options);
        let tokenizer = trainer.tokenizer.clone();
        let task = trainer.task.clone();
        let trained = task.training().limited(trainer.config.train.records, trainer.config.seed);
        let chunk = options.records.div_ceil(MAX_CHUNKS).max(CHUNK);
        let starts = (0..options.records).step_by(chunk);
        let left = starts.map(|start| start..options.records.min(start + chunk)).collect();
        let (own, waiting) = (0..0, BTreeMap::new());
        Ok(Self { writer, tokenizer, task, trained, options, step, report, done: 0, left, own, waiting, help: None })
    }

    /// The evaluation with the help of `crew`, if it takes longer than `alone`. They get the run as its checkpoint `run`.
    pub fn helped(self, crew: Rc<dyn Crew>, run: Vec<u8>, alone: Duration) -> Self {
        let help = Help { from: Instant::now() + alone, run, errands: Errands::new(crew) };
        Self { help: Some(help), ..self }
    }

    /// Evaluates one more record here; `false` if all have been evaluated.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        self.collect();
        if self.own.is_empty()
            && let Some(own) = self.left.pop_front()
        {
            self.own = own;
        }
        self.hand_out();
        match self.own.next() {
            Some(index) => {
                let report = self.ask(index).await?;
                self.take(index, vec![report]);
            }
            None if self.done < self.options.records => rest().await,
            None => {}
        }
        Ok(self.done < self.options.records)
    }

    /// The reports on these records.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) async fn records(
        mut self,
        records: Range<usize>,
    ) -> Result<Vec<Report>, ExecutionError> {
        let mut reports = Vec::new();
        for index in records {
            reports.push(self.ask(index).await?);
        }
        Ok(reports)
    }

    /// Progress so far.
    pub fn progress(&self) -> Evaluated {
        let Self { step, options, done, .. } = *self;
        Evaluated { step, options, done, report: self.report.clone() }
    }

    /// The report on one record.
    async fn ask(&mut self, index: usize) -> Result<Report, ExecutionError> {
        let Self { writer, task, trained, tokenizer, options, .. } = self;
        let mut rng = stream_rng(options.seed, index as u64);
        writer.reseed(options.seed, index as u64);
        let mut report = empty(task).expect("a task that was checked");
        match (&mut report, task.downcast_ref::<Phone>()) {
            (Report::Phone(report), Some(task)) => {
                phone::score(report, task, index, writer, &mut rng).await?;
                if index == 0 && options.temperature > 0.0 {
                    phone::repeat(report, task, writer, &mut rng).await?;
                }
            }
            (Report::Facts(report), _) => {
                facts::score(report, task, index, writer, &mut rng).await?;
            }
            (Report::Mapping(report), _) => {
                mapping::score(report, (task, trained), index, writer, &mut rng).await?;
            }
            (Report::Recall(report), _) => {
                recall::score(report, task, tokenizer, writer, &mut rng).await?;
            }
            (Report::Phone(_), None) => unreachable!("the report is made for the task"),
        }
        Ok(report)
    }

    /// Adds reports from record `first` on, once those before it are there.
    fn take(&mut self, first: usize, reports: Vec<Report>) {
        self.waiting.insert(first, reports);
        while let Some(reports) = self.waiting.remove(&self.done) {
            self.done += reports.len();
            reports.iter().for_each(|report| self.report.add(report));
        }
    }

    /// Gives records to the workers that are free.
    fn hand_out(&mut self) {
        let Some(Help { from, run, errands }) = &mut self.help else { return };
        if Instant::now() < *from {
            return;
        }
        while let Some(records) = self.left.pop_front() {
            let errand = |records: &Range<usize>| Errand::Records {
                run: run.clone(),
                options: self.options,
                first: records.start,
                count: records.len(),
            };
            if let Some(records) = errands.send(records, errand) {
                self.left.push_front(records);
                break;
            }
        }
    }

    /// Takes the reports that have come. Records whose worker has ended are to be evaluated again.
    fn collect(&mut self) {
        let brought = self.help.as_mut().map_or_else(Vec::new, |help| help.errands.collect());
        for (records, brought) in brought {
            match brought {
                Some(Brought::Records(reports)) if reports.len() == records.len() => {
                    self.take(records.start, reports);
                }
                _ => self.left.push_front(records),
            }
        }
    }
}

/// The report on no record.
fn empty(task: &Task) -> Result<Report, EvalError> {
    match task.downcast_ref::<Phone>() {
        Some(task) => Ok(Report::Phone(phone::empty(task))),
        None if facts::has_answers(task) => Ok(Report::Facts(Default::default())),
        None if mapping::is_mapping(task, &mut stream_rng(0, 0)) => Ok(Report::Mapping(Default::default())),
        None if recall::has_targets(task, &mut stream_rng(0, 0)) => Ok(Report::Recall(Default::default())),
        None => Err(EvalError::Task),
    }
}
