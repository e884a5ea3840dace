//! Events of the session, put into the page's state.

use std::sync::Arc;

use confab::config::{LearnerKind, TaskKind};
use confab::protocol::{
    AverageAttention, Bench, Built, Distill, Evaluate, Event, JobKind, JobReport, KeptRun,
    NamedFile, Probe, StepReport, Sweep, Trace,
};
use confab::report::sweep::Sweeping;
use confab::report::{BenchReport, DistillReport};
use confab::run::{DeviceChoice, LossPoint};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;

use crate::actions::{Actions, Origin};
use crate::browser;
use crate::notes::Note;
use crate::outcomes::Kept;
use crate::place::Inspected;
use crate::runs::{MAX_RUNS, Run, name_experiment, name_run};
use crate::state::{FIXED, FieldView, Model, SampleView, Speed, State};
use crate::tab::Tab;

/// Wait for an autosaved run of an earlier visit before the example is loaded.
const RESUMABLE_WAIT_MS: u32 = 400;

pub fn receive(actions: Actions, event: Event) {
    let state = actions.state;
    match event {
        Event::Ready(catalogue) => {
            state.take_catalogue(catalogue);
            state.is_ready.set(true);
            actions.keep_outcomes();
            if let Some(cores) = state.cores.get_untracked() {
                actions.set_cores(Some(cores)); // of a worker that took a dead one's place
            }
            open(actions);
        }
        Event::Resumable { id, config, step } => state.resumable.set(Some((id, *config, step))),
        Event::KeptRuns(kept) => {
            let first = 1 + state
                .runs
                .with_untracked(|runs| runs.iter().map(|run| run.number).max().unwrap_or_default());
            // Those that are still there keep their numbers.
            state.kept_runs.update(|there| {
                let first =
                    first.max(1 + there.iter().map(|run| run.number).max().unwrap_or_default());
                let old = std::mem::take(there);
                let run = |(at, kept): (usize, KeptRun)| {
                    let old = old.iter().find(|run| run.id == kept.id).cloned();
                    old.unwrap_or_else(|| Run::kept(kept, first + at))
                };
                *there = kept.into_iter().enumerate().map(run).collect();
            });
        }
        Event::TaskDescribed { number, facts } => actions.take_description(number, facts),
        Event::Workers(count) => state.cores.set(Some(count)),
        Event::Device(report) => state.device.set(Some(report)),
        Event::Built(built) if built.is_remade => show_model(actions, *built, Origin::Surgery),
        Event::Built(built) => {
            let (origin, is_overtaken) = actions.settle();
            // Nobody asked for it: the session has lost its device and goes on on the CPU.
            let origin = origin.unwrap_or(Origin::Rescue);
            if origin != Origin::Example || !is_overtaken {
                show_model(actions, *built, origin);
            }
        }
        Event::Refused { reason } => {
            actions.settle();
            let held = state.model.get_untracked().filter(|model| !model.is_example);
            actions.remember(held.map(|model| (model.config, model.device)));
            state.notify(reason);
        }
        Event::State(run_state) => state.run_state.set(run_state),
        Event::Step(report) => {
            state.runs.with_untracked(|runs| {
                if let Some(run) = runs.last() {
                    run.points.update(|points| points.push(report.loss));
                }
            });
            let StepReport { steps_per_s, tokens_per_s, workers, .. } = report;
            state.speed.set(Some(Speed { steps_per_s, tokens_per_s, workers }));
        }
        Event::Codec(_) => {} // the terminal's: the page asks for figures
        Event::Fields { step, fields } => state.fields.set(Some(FieldView { step, fields })),
        Event::SampleStarted(options) => {
            forget_sample(state);
            let model = untrack(|| state.shown_model());
            let options = Some(options);
            state.sample.set(SampleView {
                options,
                model,
                characters: Vec::new(),
                is_running: true,
            });
        }
        Event::Character(report) => state.sample.update(|sample| sample.characters.push(report)),
        Event::SampleEnded { .. } => state.sample.update(|sample| sample.is_running = false),
        Event::Trace(trace) => match is_whole(&trace) {
            true => state.trace.set(Some(Arc::new(trace))),
            false => state.notify("A trace of the worker was damaged and is not shown."),
        },
        Event::Untraced => {
            state.trace.set(None);
            state.expected.set(None);
        }
        Event::Expected(expected) => state.expected.set(Some(Arc::new(expected))),
        Event::Answered { number, answer } => {
            let answer = Some(Arc::from(answer));
            match FIXED.iter().position(|fixed| *fixed == number) {
                Some(at) => state.fixed_answers.update(|answers| answers[at] = answer),
                None => state.answer.set(answer),
            }
        }
        Event::Kept { steps, runs } => state.kept.set((steps, runs)),
        Event::Packed(packed) => actions.copy_weights(packed),
        Event::Ablated(ablations) => {
            if ablations != state.ablations.get_untracked() {
                state.ablations.set(ablations);
                forget_judged(state);
            }
        }
        Event::Analysed(result) => state.result.set(Some(Arc::from(result))),
        Event::Remembered { slots, aside } => state.remembered.set((slots, aside)),
        Event::Job(report) => {
            if let Err(error) = take_report(actions, &report) {
                state.notify(format!("A report of `{}` was damaged: {error}.", report.name));
            }
        }
        Event::JobRefused { name } => match name.as_str() {
            Sweep::NAME => {
                state.outcomes.follow(Sweeping::default());
            }
            Bench::NAME => show_bench(state, BenchReport::default()),
            Distill::NAME => state.distilled.set(Some(DistillReport::default())),
            _ => {}
        },
        Event::OutcomesMerged { file: None, merged } => {
            let kept = merged.map(|merged| state.outcomes.keep(merged));
            match kept {
                Ok(Kept::Yes) | Err(_) => {}
                Ok(Kept::NoRoom) => state.notify(
                    "The browser has no room to keep the outcomes: save them before you leave.",
                ),
                Ok(Kept::Outdated) => actions.keep_outcomes(),
            }
        }
        Event::OutcomesMerged { file: Some(name), merged: Ok(merged) } => {
            state.notify(format!("{} outcomes were read from {name}.", merged.read));
            state.outcomes.add(merged.outcomes);
            actions.keep_outcomes();
        }
        Event::OutcomesMerged { file: Some(name), merged: Err(reason) } => {
            state.notify(format!("{name} was not read: {reason}."));
        }
        Event::CheckpointFile { name, bytes } | Event::Film(Ok(NamedFile { name, bytes })) => {
            if let Err(reason) = browser::download(&name, "application/octet-stream", &bytes) {
                state.notify(format!("{name} could not be saved: {reason}."));
            }
        }
        Event::Film(Err(reason)) => {
            actions.cancel_film();
            state.notify(format!("The figure could not be drawn over the steps: {reason}."));
        }
        Event::Saved { step, removed } => {
            state.saved_step.set(Some(step));
            note_saved(state, &removed);
        }
        Event::Notice { text } => state.notify(text),
    }
}

/// Shows the progress of a job.
fn take_report(actions: Actions, report: &JobReport) -> Result<(), postcard::Error> {
    let state = actions.state;
    if let Some(evaluated) = report.of::<Evaluate>()? {
        actions.go_on_sweeping(&evaluated);
        state.evaluated.set(Some(evaluated));
    } else if let Some(probed) = report.of::<Probe>()? {
        state.probed.set(Some(probed));
    } else if let Some(by_type) = report.of::<AverageAttention>()? {
        state.by_type.set(Some(by_type));
    } else if let Some(sweeping) = report.of::<Sweep>()? {
        if state.outcomes.follow(sweeping) {
            actions.keep_outcomes();
        }
    } else if let Some(bench) = report.of::<Bench>()? {
        show_bench(state, bench);
    } else if let Some(distilled) = report.of::<Distill>()? {
        state.distilled.set(Some(distilled));
    }
    Ok(())
}

fn show_bench(state: State, report: BenchReport) {
    state.is_measuring.set(report.current.is_some());
    state.bench.set(report);
}

/// Lists the run on screen among those that are kept, without those that had to make room for it.
fn note_saved(state: State, removed: &[String]) {
    let Some(run) = state.runs.with_untracked(|runs| runs.last().cloned()) else { return };
    let mut names = Vec::new();
    state.kept_runs.update(|kept| {
        kept.retain(|kept| {
            let is_removed = removed.contains(&kept.id);
            if is_removed {
                names.push(kept.name.clone());
            }
            !is_removed && kept.id != run.id
        });
        kept.push(run);
    });
    if !names.is_empty() {
        let names = names.join(", ");
        state.notify(format!(
            "There was no more room for all runs: the browser no longer keeps {names}."
        ));
    }
}

/// Forgets what was found of a model that is no longer shown.
fn forget_judged(state: State) {
    state.evaluated.set(None);
    state.sweep.set(Vec::new());
    state.probed.set(None);
    state.by_type.set(None);
}

/// The session is there: with nothing else to show, shows the shipped example.
fn open(actions: Actions) {
    if !browser::has_link() && browser::query("bench").is_none() {
        Timeout::new(RESUMABLE_WAIT_MS, move || actions.load_example()).forget();
    }
}

fn show_model(actions: Actions, mut built: Built, origin: Origin) {
    let state = actions.state;
    let is_example = origin == Origin::Example;
    let shows_any = matches!(state.tab.get_untracked(), Tab::Codec | Tab::Retrieval);
    if built.config.learner == LearnerKind::Codec && !shows_any {
        state.tab.set(Tab::Codec);
    }
    state.visited.set(None);
    state.baseline.set(None);
    if origin == Origin::Rescue {
        state.device_choice.set(DeviceChoice::Cpu);
    }
    let device = state.device_choice.get_untracked();
    let history = std::mem::take(&mut built.history);
    let name = add_run(state, &built, history, origin, device);

    match origin {
        Origin::File | Origin::Storage | Origin::Surgery => {
            state.show_config(built.config.clone());
            actions.remember(Some((untrack(|| state.config()), device)));
        }
        Origin::Rescue | Origin::Exhibit => {
            actions.remember(Some((built.config.clone(), device)));
        }
        Origin::Example => actions.remember(None),
        Origin::Build => {}
    }
    match origin {
        Origin::Rescue => {}
        Origin::Storage => state.saved_step.set(Some(built.step)),
        _ => state.saved_step.set(None),
    }
    let has_same_heads = state.trace.with_untracked(|trace| {
        trace.as_ref().is_some_and(|trace| {
            (trace.n_layers, trace.n_heads)
                == (built.config.model.n_layers, built.config.model.n_heads)
        })
    });
    if !has_same_heads {
        state.trace.set(None);
    }
    state.speed.set(None);
    state.fields.set(None);
    forget_judged(state);
    if built.config.task.kind == TaskKind::Text {
        state.answer.set(None); // it may have no answers
    }
    state.fixed_answers.set(Default::default());
    state.answers_before.set(Default::default());
    actions.question();
    state.result.set(None);
    forget_sample(state);
    state.sample.set(SampleView::default());
    if !state.prompt_is_own.get_untracked() {
        state.show_prompt(built.example_prompt);
    }
    state.model.set(Some(Model {
        name,
        config: built.config,
        device,
        parameters: built.parameters,
        training_bytes: built.training_bytes,
        is_approximate: built.is_approximate,
        probes: built.probes,
        floor: built.floor.map(Arc::new),
        reference: built.reference,
        likeliest: built.likeliest.and_then(|of| of.accuracy()),
        is_example,
    }));
}

/// Adds the run to the chart and gives its name. One that was rescued or changed takes the place of the
/// one it was; the example has number 0.
fn add_run(
    state: State,
    built: &Built,
    history: Vec<LossPoint>,
    origin: Origin,
    device: DeviceChoice,
) -> String {
    let mut name = String::new();
    state.runs.update(|runs| {
        let goes_on = matches!(origin, Origin::Rescue | Origin::Surgery);
        let continued = runs.pop_if(|run| goes_on && run.number > 0).map(|run| run.number);
        if origin != Origin::Example {
            runs.retain(|run| run.number > 0);
        }
        // One that was never trained has nothing to be overlaid.
        runs.retain(|run| run.points.with_untracked(|points| !points.is_empty()));
        let numbers = |runs: &Vec<Run>| runs.iter().map(|run| run.number).max().unwrap_or_default();
        let next = 1 + numbers(runs).max(state.kept_runs.with_untracked(numbers));
        let opened = || {
            let is_free = |run: &&Run| runs.iter().all(|live| live.number != run.number);
            let is_own = |run: &&Run| run.id == built.id;
            state
                .kept_runs
                .with_untracked(|kept| Some(kept.iter().filter(is_free).find(is_own)?.number))
        };
        let number = match origin {
            Origin::Example => 0,
            Origin::Storage => opened().unwrap_or(next),
            _ => continued.unwrap_or(next),
        };
        // What is kept of a run before it was changed is a run of its own.
        state.kept_runs.update(|kept| {
            kept.iter_mut()
                .filter(|run| run.number == number && run.id != built.id)
                .for_each(|run| run.number = next);
        });
        let note = Note::of(&built.id);
        name = match (number, &note.name) {
            (_, None) if origin == Origin::Storage && !note.label.is_empty() => note.label.clone(),
            (0, _) => format!("example: {}", name_experiment(&built.config, built.parameters)),
            (_, Some(name)) => name.clone(),
            (number, None) => name_run(&built.config, built.parameters, number),
        };
        let floor = built.floor.as_ref().map(|floor| floor.nats_per_char);
        if number > 0 {
            Note { floor, label: name.clone(), ..note }.keep();
        }
        runs.push(Run {
            id: built.id.clone(),
            name: name.clone(),
            number,
            config: Arc::new(built.config.clone()),
            device,
            points: ArcRwSignal::new(history),
            floor,
            is_shown: true,
        });
        let extra = runs.len().saturating_sub(MAX_RUNS);
        runs.drain(..extra);
    });
    name
}

fn is_whole(trace: &Trace) -> bool {
    let tokens = trace.tokens.len();
    trace.patterns.len() == trace.n_layers * trace.n_heads * tokens * tokens
}

/// Chooses no token of the sample any more.
fn forget_sample(state: State) {
    if let Some(Inspected::Sampled(_)) = state.inspected.get_untracked() {
        state.inspected.set(None);
    }
}
