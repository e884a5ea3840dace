//! The session's runs: made, gone on with, and refused.

mod common;

use std::cell::RefCell;

use confab::checkpoint::Checkpoint;
use confab::config::{KNOBS, MlpKind, RunConfig, TUNED, TaskKind};
use confab::protocol::{
    Alternative, Baseline, Command, Evaluate, Event, Expected, JobRequest, RunState, SampleOptions,
    SaveAs, Then, Trace,
};
use confab::report::{EvalOptions, Evaluated};
use confab::run::{DeviceChoice, Intervention};
use confab::session::{self, RunStorage};
use futures::channel::mpsc::unbounded;
use futures::executor::block_on;

use common::crew;

const CPU: DeviceChoice = DeviceChoice::Cpu;

/// Answers of a session, by kind.
#[derive(Default)]
struct Answers {
    files: Vec<Checkpoint>,
    refusals: Vec<String>,
    states: Vec<RunState>,
    traces: Vec<Trace>,
    expected: Vec<Expected>,
    samples: Vec<String>,
    ablations: Vec<Vec<Intervention>>,
    evaluated: Vec<Evaluated>,
    notices: Vec<String>,
}

fn ask(commands: impl IntoIterator<Item = Command>) -> Answers {
    ask_until(commands, |_| true)
}

/// Asks, and ends the session once the answers are there.
fn ask_until(
    commands: impl IntoIterator<Item = Command>,
    are_there: impl Fn(&Answers) -> bool,
) -> Answers {
    let answers = RefCell::new(Answers::default());
    let (orders, received) = unbounded();
    commands.into_iter().for_each(|command| orders.unbounded_send(command).unwrap());
    let emit = |event| {
        let mut answers = answers.borrow_mut();
        match event {
            Event::CheckpointFile { bytes, .. } => {
                answers.files.push(Checkpoint::from_bytes(&bytes).unwrap());
            }
            Event::Refused { reason } => answers.refusals.push(reason),
            Event::State(state) => answers.states.push(state),
            Event::Trace(trace) => answers.traces.push(trace),
            Event::Expected(expected) => answers.expected.push(expected),
            Event::SampleEnded { text } => answers.samples.push(text),
            Event::Ablated(ablations) => answers.ablations.push(ablations),
            Event::Job(report) => answers.evaluated.extend(report.of::<Evaluate>().unwrap()),
            Event::Notice { text } => answers.notices.push(text),
            _ => {}
        }
        if are_there(&answers) {
            orders.close_channel();
        }
    };
    block_on(session::run(received, emit, RunStorage::none(), crew()));
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
    let Answers { files, refusals, states, .. } = ask([
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
        Command::Continue { config: Box::new(wide), then: Then::Train },
        SAVE,
    ]);
    assert_eq!((files[0].step, refusals.len()), (1, 3), "{refusals:?}");
    assert!(refusals[0].starts_with("This cannot be run") && refusals[2].contains("cannot go on"));
    assert!(ask([Command::GoOn { steps: 4, device: CPU, then: Then::Train }]).refusals.len() == 1);
}

#[test]
fn tuned_settings_are_of_their_task_and_keep_what_is_the_users() {
    for kind in TaskKind::all() {
        let mut config = RunConfig { seed: 7, ..RunConfig::default() };
        config.task.kind = kind;
        config.task.text.text = "a text of the user's\n".repeat(40);
        config.task.phone.own_names = "Ada\nGrace\n".repeat(60);
        config.task.words.text = "one two\nthree four\n".into();
        config.noise.swap = 0.1;
        let before = config.clone();
        config.tune();
        assert_eq!(config.validate(), Ok(()), "{TUNED} {}", kind.name());
        assert_eq!(
            (&config.task.text, &config.noise, config.seed),
            (&before.task.text, &before.noise, 7)
        );
        assert_eq!(config.task.phone.own_names, before.task.phone.own_names);
        assert_eq!(config.task.words.text, before.task.words.text);
        let tuned = RunConfig::tuned(kind);
        assert_eq!((&config.model, &config.train), (&tuned.model, &tuned.train));
        assert_eq!(tuned.task.kind, kind);
        assert!(KNOBS.iter().all(|knob| knob.set(&mut tuned.clone(), &knob.get(&tuned)).is_ok()));
    }
    assert_eq!(RunConfig::tuned(TaskKind::Phone).model.mlp, MlpKind::None);
}

const PROMPT: &str = "{B}\nAda Lee: 212";

fn options(temperature: f64, top_k: usize) -> SampleOptions {
    SampleOptions { prompt: PROMPT.into(), temperature, top_k, max_chars: 12, seed: 1 }
}

fn ablations(all: &[(&str, f32)]) -> Vec<Intervention> {
    all.iter().map(|(part, factor)| Intervention::parse(part, *factor).unwrap()).collect()
}

#[test]
fn ablations_reach_traces_predictions_samples_and_evaluations() {
    let evaluate = || {
        let options = EvalOptions { records: 2, ..EvalOptions::default() };
        Command::StartJob(JobRequest::new::<Evaluate>(&options).unwrap())
    };
    let asked = |of: &[(&str, f32)]| {
        let commands = [build(small(), Then::Step), Command::Step, Command::Ablate(ablations(of))];
        let sample = [Command::Inspect(options(0.0, 0)), Command::Sample(options(0.0, 0))];
        let all = commands.into_iter().chain(sample).chain([evaluate()]);
        ask_until(all, |of| {
            !of.samples.is_empty() && of.evaluated.last().is_some_and(|e| e.done == 2)
        })
    };
    let (plain, ablated) =
        (asked(&[]), asked(&[("L0H0", -40.0), ("blocks.0.attn.W_O[0,0]", 30.0)]));
    assert_eq!(ablated.ablations.last().unwrap().len(), 2);
    assert_eq!(plain.traces[0].tokens, ablated.traces[0].tokens);
    assert_ne!(plain.traces[0].patterns, ablated.traces[0].patterns);
    assert_ne!(plain.expected[0].next, ablated.expected[0].next);
    assert_ne!(plain.samples, ablated.samples);
    let last = |of: &Answers| of.evaluated.last().unwrap().clone();
    assert_eq!((last(&plain).done, last(&ablated).done), (2, 2));
    assert_ne!(last(&plain).report, last(&ablated).report);
    // A greedy sample begins with the likeliest of the prediction.
    let next = &ablated.expected[0].next.last().unwrap()[0].token;
    assert!(
        ablated.samples[0][PROMPT.len()..].starts_with(next),
        "{next} in {:?}",
        ablated.samples
    );
}

#[test]
fn ablations_that_do_not_fit_are_refused_and_go_with_the_part_they_are_on() {
    let mut narrow = small();
    narrow.model.n_heads = 1;
    let Answers { ablations: told, notices, .. } = ask([
        build(small(), Then::Step),
        Command::Ablate(ablations(&[("L0H1", 0.0)])),
        Command::Ablate(ablations(&[("L9MLP", 0.0)])),
        Command::Ablate(ablations(&[("ln_final.w[99]", 0.0)])),
        build(small(), Then::Wait),
        build(narrow, Then::Wait),
    ]);
    let kept = ablations(&[("L0H1", 0.0)]);
    assert_eq!(told, [vec![], kept.clone(), kept.clone(), kept.clone(), kept, vec![]]);
    assert_eq!(notices.len(), 3, "{notices:?}");
    assert!(notices[0].contains("L9MLP × 0 is on a part that this model lacks"), "{notices:?}");
    assert!(notices[1].contains("count rows and columns from 0"), "{notices:?}");
    assert!(notices[2].starts_with("The new model has no ablations: L0H1"), "{notices:?}");
}

#[test]
fn a_prompt_is_compared_with_an_earlier_run_too() {
    let other = RunConfig { seed: 5, ..small() };
    let mut wide = small();
    wide.model.n_heads = 1;
    let commands = |second: RunConfig| {
        let visit = |baseline| Command::Visit { step: None, baseline };
        let inspect = Command::Inspect(options(1.0, 0));
        let runs = [build(small(), Then::Step), build(second, Then::Step)];
        let compare = [inspect, visit(Some(Baseline::Run(0))), visit(None)];
        runs.into_iter().chain(compare)
    };
    let answers = ask(commands(other));
    let [alone, compared, again] = &answers.traces[..] else {
        panic!("{:?}", answers.traces.len())
    };
    assert_eq!((&alone.against, alone), (&None, again));
    assert!(compared.against.as_ref().unwrap().starts_with("an earlier run, at step 1"));
    assert_ne!(compared.patterns, alone.patterns);
    let seq = compared.tokens.len();
    for row in compared.patterns.chunks(seq) {
        assert!(row.iter().sum::<f32>().abs() < 1e-4, "differences of rows sum to 0");
    }
    let baseline = |expected: &Expected| expected.next[seq - 1][0].baseline;
    let told: Vec<_> = answers.expected.iter().map(baseline).collect();
    assert!(told[0].is_none() && told[2].is_none());
    assert!((0.0..1.0).contains(&told[1].unwrap()));
    // The same step is no different, and of another shape there is nothing to subtract.
    let unlike = ask(commands(wide));
    assert!(unlike.traces.iter().all(|trace| trace.against.is_none()));
    assert!(unlike.notices[0].contains("has other heads or other tokens"), "{:?}", unlike.notices);
}

#[test]
fn probabilities_are_at_temperature_1_beside_those_of_a_sample() {
    let told = |temperature, top_k| {
        let inspect = Command::Inspect(options(temperature, top_k));
        ask([build(small(), Then::Step), inspect]).expected.remove(0)
    };
    let (cool, warm) = (told(0.5, 3), told(2.0, 0));
    assert_eq!(cool.entropies, warm.entropies);
    for (cool, warm) in cool.next.iter().zip(&warm.next) {
        let probabilities =
            |of: &[Alternative]| of.iter().map(|a| a.probability).collect::<Vec<_>>();
        assert_eq!(probabilities(cool), probabilities(warm));
        assert!((cool[..3].iter().map(|a| a.drawn).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(cool[3..].iter().all(|a| a.drawn == 0.0));
        let ratio = |by: f32| (by * (cool[0].logit - cool[1].logit)).exp();
        for (of, by) in [(cool, 2.0), (warm, 0.5)] {
            assert!((of[0].drawn / of[1].drawn / ratio(by) - 1.0).abs() < 1e-3);
            assert!((of[0].probability / of[1].probability / ratio(1.0) - 1.0).abs() < 1e-3);
        }
    }
}
