//! A run of the codec: its settings, its task and its progress.

use std::sync::OnceLock;

use web_time::Instant;

use super::align::levenshtein;
use super::example::Examples;
use super::fit::Fitter;
use super::learner::{Codec, Example, Step};
use super::noise::Noise;
use crate::base::random::stream_rng;
use crate::config::{ConfigError, RunConfig, TaskKind};
use crate::report::{CodecPoint, Mapped, Score, Spaces};
use crate::run::{LossPoint, last_accuracy, push_thinned};
use crate::task::{Grams, Task};
use crate::tokenizer::{TokenizeError, Tokenizer};

/// Most training records that a validation writes.
const CHECKED: usize = 1000;
/// The first of the streams that noise is drawn from.
const NOISE: u64 = 1 << 61;
/// The first of the streams that mutations are drawn from.
const MUTATIONS: u64 = 1 << 60;

/// A run under way.
#[derive(Clone, Debug)]
pub struct CodecRun {
    pub config: RunConfig,
    pub task: Task,
    pub tokenizer: Tokenizer,
    pub codec: Codec,
    /// Steps done.
    pub step: usize,
    /// Progress at each validation, oldest first; a long history is thinned.
    pub history: Vec<CodecPoint>,
    /// Losses of each step, oldest first; a long history is thinned. The training loss is the share of the step's
    /// tokens that were mapped wrong before they were learnt. The validation loss is the edits a wanted token of
    /// held-out records, at most 1. The accuracy is 1 less the validation loss.
    pub losses: Vec<LossPoint>,
    /// Seconds that learning took so far, without validation.
    pub(super) seconds: Option<f64>,
    /// Score of the likeliest outputs, once it was asked for: it takes time.
    likeliest: OnceLock<Option<Mapped>>,
    pub(super) fitter: Fitter,
    /// Tokens that noise was drawn for.
    pub(super) drawn_for: u64,
    /// Records for whose every token noise was found, of those that noise was drawn for.
    pub(super) fitted: Score,
}

impl CodecRun {
    /// A codec that knows nothing.
    ///
    /// # Errors
    /// If something in `config` does not work, or the task's records have no answers.
    pub fn new(config: RunConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let task = Task::new(&config.task)?;
        let tokenizer = task.tokenizer();
        let codec = Codec::new(tokenizer.vocab_size(), &config.codec, config.seed);
        let run = Self {
            codec: codec.map_err(ConfigError::Task)?,
            fitter: Fitter::new(&config.codec),
            config,
            task,
            tokenizer,
            step: 0,
            history: Vec::new(),
            losses: Vec::new(),
            seconds: Some(0.0),
            likeliest: OnceLock::new(),
            drawn_for: 0,
            fitted: Score::default(),
        };
        match run.examples().training(0) {
            Some(_) => Ok(run),
            None => Err(ConfigError::Task(
                "a noise codec maps a question to its answer, and these records have none; choose another Task \
                 (task.kind), as spacing"
                    .into(),
            )),
        }
    }

    /// Approximate size of the tables in bytes.
    pub fn bytes(&self) -> u64 {
        let width = self.codec.keys.width();
        // A context: its point, its place in a bucket, and one mode with two noises and their variances.
        let context = 4 * 2 * width + 4 + 96 + 2 * width * (4 + 8);
        (self.codec.keys.numbers().len() * 4 + self.codec.layer.len() * context) as u64
    }

    pub fn is_finished(&self) -> bool {
        self.config.train.is_over(self.step, last_accuracy(&self.losses))
    }

    /// Input of a held-out record.
    pub fn example_input(&self) -> String {
        let example = self.examples().held_out(0);
        example.map_or(String::new(), |example| self.tokenizer.decode(&example.input))
    }

    pub(super) fn examples(&self) -> Examples<'_> {
        Examples { task: &self.task, tokenizer: &self.tokenizer, seed: self.config.seed }
    }

    /// Number of different training records that were read.
    pub fn read(&self) -> usize {
        let (train, all) = (&self.config.train, self.step.saturating_mul(self.config.train.batch));
        if train.records == 0 { all } else { all.min(train.records) }
    }

    /// Learns the records of a step, validates if that is due, and returns the number of tokens read. A record's
    /// first visit draws noise for it. Later visits put right what it still gets wrong.
    pub fn learn(&mut self) -> usize {
        let start = Instant::now();
        let RunConfig { train, seed, codec: config, .. } = &self.config;
        let (train, seed) = (train.clone(), *seed);
        let (mut tokens, mut wrong, mut examples) = (0, 0, Vec::new());
        for place in 0..train.batch {
            let visit = self.step * train.batch + place;
            let number = if train.records == 0 { visit } else { visit % train.records };
            let Some(example) = self.examples().training(number) else { continue };
            let mut rng = stream_rng(seed, NOISE + visit as u64);
            let is_new = number == visit;
            let mut noise = is_new.then(|| Noise::new(config, &mut rng));
            let numbered = (number as u32, &example);
            let learned = self.codec.learn(numbered, &mut self.fitter, noise.as_mut(), &mut rng);
            tokens += learned.tokens;
            wrong += learned.tokens - learned.right;
            if is_new {
                self.fitted.add(learned.unfit == 0);
                self.drawn_for += learned.tokens as u64;
            }
            examples.push(example);
        }
        let mut rng = stream_rng(seed, MUTATIONS + self.step as u64);
        self.codec.mutate(&examples, self.config.codec.mutations, &mut rng);
        self.step += 1;
        self.seconds = self.seconds.map(|seconds| seconds + start.elapsed().as_secs_f64());
        let accuracy = if self.is_due() { self.validate().held_out.accuracy() } else { None };
        let accuracy = accuracy.map(|share| share as f32);
        let loss = LossPoint {
            step: self.step,
            train_loss: wrong as f32 / tokens.max(1) as f32,
            val_loss: accuracy.map(|share| 1.0 - share),
            accuracy,
            seconds: self.seconds.map(|seconds| seconds as f32),
        };
        push_thinned(&mut self.losses, loss, |_| false);
        tokens
    }

    /// True if outputs are inputs with spaces.
    pub fn has_spaces(&self) -> bool {
        self.config.task.kind == TaskKind::Spacing
    }

    /// Progress after the last step; `None` if there was no validation.
    pub fn last_point(&self) -> Option<&CodecPoint> {
        self.history.last().filter(|point| point.step == self.step)
    }

    /// True if a validation is due after the last step.
    fn is_due(&self) -> bool {
        self.is_finished() || self.step.is_multiple_of(self.config.train.val_every)
    }

    /// Writes training and held-out records from their inputs, and adds their scores to the history.
    fn validate(&mut self) -> &CodecPoint {
        let read = self.read();
        let checked = read.min(CHECKED);
        let mut training = Score::default();
        for place in 0..checked {
            // Evenly over all of them.
            if let Some(example) = self.examples().training(place * read / checked) {
                training.add(self.codec.write(&example.input) == example.output);
            }
        }
        let point = CodecPoint {
            step: self.step,
            records: (self.step * self.config.records_per_step()) as u64,
            fitted: self.fitted,
            draws: (self.fitter.draws, self.drawn_for),
            contexts: self.codec.layer.len(),
            training,
            held_out: self.held_out(self.validated()),
        };
        push_thinned(&mut self.history, point, |_| false);
        &self.history[self.history.len() - 1]
    }

    /// Number of held-out records that a validation writes.
    fn validated(&self) -> usize {
        self.config.train.batch.saturating_mul(self.config.train.val_batches)
    }

    /// Score of the likeliest outputs of a validation's held-out records: see [`Task::likeliest`].
    pub fn likeliest(&self) -> Option<&Mapped> {
        let find = || self.task.likeliest(self.validated(), self.config.seed);
        self.likeliest.get_or_init(find).as_ref()
    }

    /// Scores the outputs of the first `count` held-out records.
    pub fn held_out(&self, count: usize) -> Mapped {
        sum((0..count).map(|number| self.of_held_out(number)))
    }

    /// Scores the outputs of all training records that were read.
    pub fn training(&self) -> Mapped {
        sum((0..self.read()).map(|number| self.of_training(number)))
    }

    /// Scores the output of held-out record `number`.
    pub fn of_held_out(&self, number: usize) -> Mapped {
        self.count(self.examples().held_out(number))
    }

    /// Scores the output of training record `number` of those that were read; after the last comes the first.
    pub fn of_training(&self, number: usize) -> Mapped {
        self.count(self.examples().training(number % self.read().max(1)))
    }

    /// Scores 5-grams, counted on the training outputs, on the first `count` held-out records, where only spaces are to
    /// be put back; `None` for other tasks.
    pub fn grams(&self, count: usize) -> Option<Mapped> {
        if !self.has_spaces() {
            return None;
        }
        let texts = |example: Example| {
            [example.input, example.output].map(|ids| self.tokenizer.decode(&ids))
        };
        let training = (0..self.read()).filter_map(|number| self.examples().training(number));
        let lines = training.map(|example| format!("\n{}", texts(example)[1]));
        let text: Vec<char> =
            lines.flat_map(|line| line.chars().collect::<Vec<_>>()).chain(['\n']).collect();
        let grams = Grams::count(&text);
        let held_out = (0..count).filter_map(|number| self.examples().held_out(number));
        Some(sum(held_out.map(|example| {
            let [input, wanted] = texts(example);
            Mapped::of(&grams.space(&input), &wanted)
        })))
    }

    fn count(&self, example: Option<Example>) -> Mapped {
        let lengths = self.codec.windows.sides.len();
        let mut counts = Mapped { windows: vec![0; lengths + 1], ..Mapped::default() };
        let Some(example) = example else { return counts };
        let steps = self.codec.trace(&example.input);
        for step in &steps {
            counts.past += u64::from(step.choice.is_some_and(|choice| choice.is_past));
            counts.windows[step.near.map_or(lengths, |near| near.window)] += 1;
        }
        let written = self.codec.written(&steps);
        counts.exact.add(written == example.output);
        counts.edits = (levenshtein(&written, &example.output), example.output.len());
        let [written, wanted] = [&written, &example.output].map(|ids| self.tokenizer.decode(ids));
        counts.spaces = Spaces::of(&written, &wanted);
        counts
    }

    /// Maps the text `input`, token by token.
    ///
    /// # Errors
    /// If a character is no token of the run's.
    pub fn trace(&self, input: &str) -> Result<Vec<Step<'_>>, TokenizeError> {
        Ok(self.codec.trace(&self.tokenizer.encode(input)?))
    }
}

fn sum(all: impl Iterator<Item = Mapped>) -> Mapped {
    all.fold(Mapped::default(), |mut sum, of| {
        sum.add(&of);
        sum
    })
}
