//! The progress of a training session, at the terminal and in a log.

use std::io::IsTerminal;

use anyhow::Result;
use confab::config::{LearnerKind, RunConfig, TaskKind};
use confab::protocol::{Built, Command as Order, Event, RunState, StepReport};
use confab::report::{CodecPoint, Mapped};
use confab::run::{LossPoint, Reference};
use futures::channel::mpsc::UnboundedSender;
use indicatif::{ProgressBar, ProgressStyle};

use super::log::Log;
use crate::cli::codec::describe;
use crate::cli::terminal;
use crate::cli::terminal::LOG_EVERY;

/// The screen and the log of a session.
pub struct Screen {
    /// The losses so far, with those of a run that is resumed.
    pub history: Vec<LossPoint>,
    /// In place of losses, what a noise codec did.
    pub codec: Vec<CodecPoint>,
    /// Score of the likeliest outputs, where they are known.
    pub likeliest: Option<Mapped>,
    log: Option<Log>,
    /// True if losses are told per byte too, so that models with other tokens compare.
    is_of_text: bool,
    /// True of a noise codec, whose validations are told in place of losses.
    is_codec: bool,
    bar: Option<ProgressBar>,
    /// Closed to end the session.
    orders: UnboundedSender<Order>,
    /// The last step trained.
    pub trained: Option<usize>,
    pub result: Result<()>,
    pub saved: Option<usize>,
}

impl Screen {
    pub fn new(log: Option<Log>, orders: UnboundedSender<Order>) -> Self {
        let history = Vec::new();
        Self {
            history,
            codec: Vec::new(),
            likeliest: None,
            log,
            is_of_text: false,
            is_codec: false,
            bar: None,
            orders,
            trained: None,
            result: Ok(()),
            saved: None,
        }
    }

    pub fn show(&mut self, event: Event) {
        if self.result.is_err() {
            return; // The run has ended.
        }
        match event {
            Event::Device(device) => self.say(&format!("Device: {}", device.name)),
            Event::Built(built) => self.begin(&built),
            Event::Step(report) => self.step(&report),
            Event::Codec(points) => self.note_codec(points),
            Event::Notice { text } => self.say(&text),
            Event::Saved { step, .. } => self.saved = Some(step),
            Event::Refused { reason } => self.end(Err(anyhow::Error::msg(reason))),
            Event::State(RunState::Finished) => self.end(Ok(())),
            Event::State(RunState::Paused) if self.trained.is_some() => self.end(Ok(())),
            _ => {}
        }
    }

    fn begin(&mut self, built: &Built) {
        let RunConfig { model, train, .. } = &built.config;
        self.history = built.history.clone();
        self.likeliest = built.likeliest.clone();
        self.is_of_text = built.config.task.kind == TaskKind::Text;
        self.is_codec = built.config.learner == LearnerKind::Codec;
        if !self.open_log() {
            return;
        }
        if self.is_codec {
            let (codec, tokens) = (&built.config.codec, built.vocab_size);
            let (numbers, digits) = (codec.numbers, codec.digits);
            self.say(&format!(
                "Noise codec: {tokens} tokens, keys of {numbers} × {digits} digits, steps {} to {}",
                built.step, train.steps
            ));
            return self.show_bar(built.step, train.steps);
        }
        self.say(&format!(
            "{} parameters ({} layers, {} heads, width {}), {} tokens, steps {} to {}, about {} MiB",
            built.parameters,
            model.n_layers,
            model.n_heads,
            model.d_model,
            built.vocab_size,
            built.step,
            train.steps,
            (built.training_bytes >> 20).max(1)
        ));
        if let Some(Reference { name, loss, .. }) = &built.reference {
            self.say(&format!("{name}: {loss:.3} nats per token in validation"));
        }
        self.show_bar(built.step, train.steps);
    }

    fn show_bar(&mut self, step: usize, steps: usize) {
        let bar = ProgressBar::new(steps as u64);
        let style = "{bar:30} {pos}/{len} steps  {msg}  {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        bar.set_position(step as u64);
        bar.reset_eta();
        self.bar = Some(bar);
    }

    /// Opens the log, if there is one; `false` if that failed, which ends the session.
    fn open_log(&mut self) -> bool {
        let opened = self.log.as_mut().map_or(Ok(()), Log::open);
        let is_open = opened.is_ok();
        if !is_open {
            self.end(opened);
        }
        is_open
    }

    /// Tells what a noise codec did at its last validation.
    fn note_codec(&mut self, points: Vec<CodecPoint>) {
        self.codec.extend(points);
        // Those of a run that is resumed were told by it.
        let Some(point) = self.codec.last().filter(|point| self.trained == Some(point.step)) else {
            return;
        };
        self.say(&format!("step {}: {}", point.step, describe(point)));
        let written = self.log.as_mut().map_or(Ok(()), |log| log.write_codec(point));
        if written.is_err() {
            self.log = None;
            self.end(written);
        }
    }

    fn step(&mut self, report: &StepReport) {
        self.trained = Some(report.loss.step);
        self.history.push(report.loss);
        let StepReport { loss, bits_per_byte, steps_per_s, tokens_per_s, .. } = report;
        let LossPoint { step, train_loss, val_loss, accuracy, .. } = loss;
        let validation = val_loss.map_or(String::new(), |loss| format!(", validation {loss:.3}"));
        let accuracy =
            accuracy.map_or(String::new(), |share| format!(", accuracy {:.1}%", 100.0 * share));
        let per_byte = bits_per_byte.filter(|_| self.is_of_text);
        let per_byte = per_byte.map_or(String::new(), |bits| format!(" ({bits:.3} bits per byte)"));
        let speed = format!("{steps_per_s:.1} steps/s, {tokens_per_s:.0} tokens/s");
        let line = match self.is_codec {
            true => format!("{:.2}% of tokens wrong, {speed}", 100.0 * train_loss),
            false => format!("loss {train_loss:.3}{validation}{per_byte}{accuracy}, {speed}"),
        };
        if let Some(bar) = &self.bar {
            bar.set_position(*step as u64);
            bar.set_message(line.clone());
        }
        if self.is_codec || step % LOG_EVERY != 0 && val_loss.is_none() {
            return;
        }
        if !std::io::stderr().is_terminal() {
            terminal::report(format_args!("step {step}: {line}"));
        }
        if let Some(log) = &mut self.log
            && let Err(error) = log.write(report)
        {
            self.log = None;
            self.end(Err(error));
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => terminal::report(text),
        }
    }

    fn end(&mut self, result: Result<()>) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
        self.result = std::mem::replace(&mut self.result, Ok(())).and(result);
        self.orders.close_channel();
    }
}
