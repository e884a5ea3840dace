//! Commands, and the methods of a session that answer them.

use super::describe;
use super::state::Session;
use crate::protocol::{Command, Event, Then};
use crate::report::sweep;

/// Most questions that are asked at a time.
const QUESTIONS: usize = 8;

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn handle(&mut self, command: Command) {
        let (then, is_there) = match command {
            Command::Build { config, device, then } => (then, self.build(*config, device).await),
            Command::GoOn { steps, device, then } => (then, self.go_on(steps, device).await),
            Command::Continue { config, then } => (then, self.continue_with(*config).await),
            Command::Train => (Then::Train, true),
            Command::Step => (Then::Step, true),
            other => return self.answer(other).await,
        };
        match then {
            Then::Train if is_there => self.start(),
            Then::Step if is_there => self.step_once().await,
            // One that was refused leaves the last run as it is.
            _ => {}
        }
    }

    /// Answers a command that makes no run and trains none.
    async fn answer(&mut self, command: Command) {
        match command {
            Command::Build { .. }
            | Command::GoOn { .. }
            | Command::Continue { .. }
            | Command::Train
            | Command::Step => {} // handled above
            Command::DescribeTask { number, config } => {
                let facts = describe::describe(&config).map_err(|error| error.to_string());
                (self.emit)(Event::TaskDescribed { number, facts });
            }
            Command::Pause => self.pause().await,
            Command::Sample(options) => self.start_sample(options).await,
            Command::Inspect(options) => {
                let is_same = options.prompt == self.inspected.prompt;
                self.inspected = options;
                match is_same && self.logits.is_some() {
                    true => self.report_expected(),
                    false => self.trace().await,
                }
            }
            Command::Ask(numbers) => {
                self.questions = numbers;
                self.questions.truncate(QUESTIONS);
                self.trace().await;
            }
            Command::Visit { step, baseline } => self.visit(step, baseline).await,
            Command::Ablate(ablations) => self.ablate(ablations).await,
            Command::Surgery(operation) => self.operate(operation).await,
            Command::Undo => self.undo().await,
            Command::Analyse(request) => self.analysis.turn_to(request.map(|request| *request)),
            Command::ChangeMemory(change) => self.change_memory(change).await,
            Command::StartJob(request) => self.start_job(&request).await,
            Command::MergeOutcomes { outcomes, text, file } => {
                let merged = match sweep::merge(outcomes.clone(), &text) {
                    // Damaged outcomes in the browser are passed over.
                    Err(_) if file.is_none() => sweep::merge(outcomes, ""),
                    merged => merged,
                };
                let merged = merged.map_err(|error| error.to_string());
                (self.emit)(Event::OutcomesMerged { file, merged });
            }
            Command::StopJob => self.stop_job(),
            Command::Save(form) => self.export(form).await,
            Command::Pack => self.pack().await,
            Command::Unpack { config, weights, device } => {
                self.unpack(*config, &weights, device).await;
            }
            Command::LoadCheckpoint { files, device } => {
                self.load_files(files, device, self.store.new_run()).await;
            }
            Command::OpenRun { id, device } => self.open_run(id, device).await,
            Command::Film(part) => self.film(part),
            Command::Workers(count) => self.crew.set_size(count),
            Command::DeleteRun { id } => self.delete_run(&id).await,
        }
    }
}
