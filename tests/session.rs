//! The session's runs: made, gone on with, and refused.

use std::cell::RefCell;

use confab::checkpoint::Checkpoint;
use confab::config::{KNOBS, MlpKind, RunConfig, TUNED, TaskKind};
use confab::protocol::{Command, Event, RunState, SaveAs, Then};
use confab::run::DeviceChoice;
use confab::session::{self, RunStorage};
use futures::executor::block_on;

const CPU: DeviceChoice = DeviceChoice::Cpu;

/// What a session answers.
#[derive(Default)]
struct Answers {
    files: Vec<Checkpoint>,
    refusals: Vec<String>,
    states: Vec<RunState>,
}

fn ask(commands: impl IntoIterator<Item = Command>) -> Answers {
    let answers = RefCell::new(Answers::default());
    let emit = |event| match event {
        Event::CheckpointFile { bytes, .. } => {
            answers.borrow_mut().files.push(Checkpoint::from_bytes(&bytes).unwrap());
        }
        Event::Refused { reason } => answers.borrow_mut().refusals.push(reason),
        Event::State(state) => answers.borrow_mut().states.push(state),
        _ => {}
    };
    block_on(session::run(futures::stream::iter(commands), emit, RunStorage::none()));
    answers.into_inner()
}

fn small() -> RunConfig {
    let mut config = RunConfig::default();
    (config.task.phone.lines, config.task.phone.names) = (1, 8);
    config.model.context = 96;
    (config.train.steps, config.train.batch) = (2, 4);
    config
}

fn build(config: RunConfig, then: Then) -> Command {
    Command::Build { config: Box::new(config), device: CPU, then }
}

const SAVE: Command = Command::Save(SaveAs::Checkpoint);

#[test]
fn a_finished_run_goes_on_with_more_steps() {
    let Answers { files, refusals, states } = ask([
        build(small(), Then::Step),
        Command::Step,
        SAVE,
        Command::GoOn { steps: 4, device: CPU, then: Then::Step },
        Command::Step,
        SAVE,
    ]);
    assert_eq!(refusals, [""; 0]);
    let [first, last] = [&files[0], &files[1]];
    assert_eq!((first.step, last.step, last.config.train.steps), (2, 4, 4));
    assert_eq!(last.history[..first.history.len()], first.history);
    assert_eq!(last.history.iter().map(|point| point.step).max(), Some(4));
    assert!(last.moments.is_some());
    assert_eq!(states.iter().filter(|state| **state == RunState::Finished).count(), 2);
}

#[test]
fn a_run_that_is_refused_leaves_the_last_as_it_is_and_trains_nothing() {
    let wide = RunConfig { seed: 3, ..RunConfig::tuned(TaskKind::Induction) };
    let short = {
        let mut config = small();
        config.model.context = 4;
        config
    };
    let Answers { files, refusals, .. } = ask([
        build(small(), Then::Step),
        build(short.clone(), Then::Train),
        build(short, Then::Step),
        Command::Continue { config: Box::new(wide) },
        SAVE,
    ]);
    assert_eq!((files[0].step, refusals.len()), (1, 3), "{refusals:?}");
    assert!(refusals[0].starts_with("This cannot be run") && refusals[2].contains("cannot go on"));
    assert!(ask([Command::GoOn { steps: 4, device: CPU, then: Then::Train }]).refusals.len() == 1);
}

#[test]
fn tuned_settings_are_of_their_task_and_keep_what_is_the_users() {
    for kind in
        [TaskKind::Phone, TaskKind::Facts, TaskKind::Text, TaskKind::Induction, TaskKind::Modular]
    {
        let mut config = RunConfig { seed: 7, ..RunConfig::default() };
        config.task.kind = kind;
        config.task.text.text = "a text of the user's\n".repeat(40);
        config.task.phone.own_names = "Ada\nGrace\n".repeat(60);
        config.noise.swap = 0.1;
        let before = config.clone();
        config.tune();
        assert_eq!(config.validate(), Ok(()), "{TUNED} {}", kind.name());
        assert_eq!(
            (&config.task.text, &config.noise, config.seed),
            (&before.task.text, &before.noise, 7)
        );
        assert_eq!(config.task.phone.own_names, before.task.phone.own_names);
        let tuned = RunConfig::tuned(kind);
        assert_eq!((&config.model, &config.train), (&tuned.model, &tuned.train));
        assert_eq!(tuned.task.kind, kind);
        assert!(KNOBS.iter().all(|knob| knob.set(&mut tuned.clone(), &knob.get(&tuned)).is_ok()));
    }
    assert_eq!(RunConfig::tuned(TaskKind::Phone).model.mlp, MlpKind::None);
}
