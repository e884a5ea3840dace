use confab::figure::{Content, Plot, Series};
use confab::run::Reference;
use gloo_timers::callback::Timeout;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::chart;
use crate::chart::{Against, Axes, Chart, Curve, Level, Measure, Options};
use crate::components::controls::{choice, live, options, switch};
use crate::components::fields::Fields;
use crate::components::fixed_answers::FixedAnswers;
use crate::components::readout::Readout;
use crate::components::save::{Picture, Saved, name_saved, save_menu};
use crate::components::theme::Dark;
use crate::runs::{Run, group_digits, show_loss, show_share};
use crate::state::{State, use_state};

/// The chart is drawn anew at most this often.
const REDRAW_MS: f64 = 250.0;
const HEIGHT: u32 = 300;

const LOSSES: &str = "Thin: training. Thick: validation, on records never trained on.";
const ACCURACIES: &str = "In validation. Of a transformer: the share of the answers' tokens that it ranks first, given \
                          those before. Of a noise codec: 1 less the edits per wanted token.";

#[component]
pub fn Loss() -> impl IntoView {
    let state = use_state();
    let Dark(is_dark) = expect_context();
    let is_log = RwSignal::new(false);
    let axes = RwSignal::new(Axes::default());
    let chart = RwSignal::new(None::<Chart>);
    let holder = NodeRef::<html::Div>::new();
    let drawn = move |width: u32| {
        let (is_log, is_dark, axes) = (is_log.get(), is_dark.get(), axes.get());
        let (against, unit) = (axes.against, unit(state, axes.measure));
        let options = Options { size: (width, HEIGHT), is_log, is_dark, against, unit };
        chart::draw(&list_curves(state, axes), find_level(state, axes.measure), options)
    };
    let draw = move || {
        // Not while its view is out of sight, where it has no width.
        let Some(holder) = holder.get_untracked().filter(|holder| holder.client_width() > 0) else {
            return;
        };
        let width = browser::chart_width(&holder);
        chart.set(Some(untrack(|| drawn(width))));
    };
    let redraw = limit_rate(draw);
    Effect::new({
        let redraw = redraw.clone();
        move |_| {
            holder.track();
            is_log.track();
            is_dark.track();
            state.model.track();
            state.view.track();
            let measure = axes.get().measure;
            state.drawn_runs(measure).0.iter().for_each(|run| run.points.track());
            redraw();
        }
    });
    let on_resize = window_event_listener(ev::resize, move |_| redraw());
    on_cleanup(move || on_resize.remove());

    let saved = move || {
        let step = state.last_point()?.step;
        let content = Content::Plot(list_losses(state, axes.get()));
        let saved = Saved::drawn(name_saved(state, step, "loss"), "Loss", "", content);
        let svg = chart.with(|chart| chart.as_ref().map(|chart| chart.svg.clone()))?;
        Some(Saved { picture: Picture::Shown(svg), ..saved })
    };

    let measures = choice(
        "Show",
        move || {
            let names = [Measure::Loss, Measure::Accuracy].map(|of| heading(state, of));
            options(names.into_iter(), axes.get().measure as usize)
        },
        move |at| axes.update(|axes| axes.measure = [Measure::Loss, Measure::Accuracy][at.min(1)]),
    );
    let againsts = choice(
        "Against",
        move || options(Against::ALL.into_iter().map(Against::name), axes.get().against as usize),
        move |at| axes.update(|axes| axes.against = Against::ALL[at.min(2)]),
    );

    view! {
        <section class="panel loss" aria-label="Loss">
            <div class="heading">
                <h2>{live(move || heading(state, axes.get().measure))}</h2>
                {save_menu(saved)}
            </div>
            <Figures/>
            <div class="chart" node_ref=holder>
                <div
                    role="img"
                    aria-label=move || {
                        let Axes { measure, against } = axes.get();
                        format!(
                            "{} by {}; thin lines are training, thick lines validation",
                            heading(state, measure),
                            against.name()
                        )
                    }
                    inner_html=move || {
                        chart.with(|chart| chart.as_ref().map(|chart| chart.svg.clone()))
                    }
                />
                <Readout chart holder axes/>
            </div>
            <div class="axes">
                {measures} {againsts}
                {switch("Log scale", move || is_log.get(), move |is_on| is_log.set(is_on))}
            </div>
            <p class="hint">
                {live(move || match axes.get().measure {
                    Measure::Loss => LOSSES,
                    Measure::Accuracy => ACCURACIES,
                })}
                {live(move || describe_others(state, axes.get()))}
            </p>
            <FixedAnswers/>
            <Fields/>
        </section>
    }
}

/// The step and the losses in numbers.
#[component]
fn Figures() -> impl IntoView {
    let state = use_state();
    let step = move || {
        let step = state.last_point().map_or(0, |point| point.step);
        let total = state.model.with(|model| model.as_ref().map(|model| model.config.train.steps));
        (step, total)
    };
    let train = move || {
        state.last_point().map_or("—".into(), |point| show_loss(f64::from(point.train_loss), 4))
    };
    let validation = move || {
        let loss = state.last_validation();
        loss.map_or("—".into(), |loss| show_loss(loss, 4))
    };
    let accuracy = move || state.last_accuracy().map_or("—".into(), show_share);
    view! {
        <dl class="figures">
            <div>
                <dt>"Step"</dt>
                <dd>
                    <output data-testid="step" aria-label="Step">{live(move || group_digits(step().0))}</output>
                    <span class="of">
                        {live(move || step().1.map_or(String::new(), |total| format!(" of {}", group_digits(total))))}
                    </span>
                </dd>
            </div>
            <div>
                <dt>"Training"</dt>
                <dd><output data-testid="train-loss" aria-label="Training loss">{live(train)}</output></dd>
            </div>
            <div>
                <dt>"Validation"</dt>
                <dd>
                    <output data-testid="val-loss" aria-label="Validation loss">{live(validation)}</output>
                </dd>
            </div>
            <Floor/>
            <div
                hidden=move || state.last_accuracy().is_none()
                title="Share of the answers' tokens that the model holds likeliest: in held-out records, or in training records where those held out cannot be known">
                <dt>"Accuracy"</dt>
                <dd><output data-testid="accuracy" aria-label="Accuracy">{live(accuracy)}</output></dd>
            </div>
        </dl>
    }
}

/// The loss that no model can get below, or where it is not known another to compare with.
#[component]
fn Floor() -> impl IntoView {
    let state = use_state();
    let level = move || find_level(state, Measure::Loss);
    let told = move |of: fn(Reference) -> String, floor: &str| {
        let reference = state.model.with(|model| model.as_ref()?.reference.clone());
        reference.map_or_else(|| floor.into(), of)
    };
    let about = "the least loss that any model could reach on the training records";
    let found = move || {
        let floor = state.model.with(|model| model.as_ref()?.floor.clone());
        floor.and_then(|floor| floor.found.describe()).map_or(String::new(), |of| format!(". {of}"))
    };
    let margin = move || {
        let floor = state.model.with(|model| model.as_ref()?.floor.clone());
        let error = floor.and_then(|floor| floor.standard_error());
        error.map_or(String::new(), |error| format!(" ± {}", show_loss(error, 4)))
    };
    view! {
        <div title=move || told(|of| of.about, about) + &found()>
            <dt>{live(move || told(|of| of.name, "Best possible (entropy floor)"))}</dt>
            <dd>
                <output data-testid="floor" aria-label=move || told(|of| of.name, "Entropy floor")>
                    {live(move || level().map_or("—".into(), |level| show_loss(level.loss, 4) + &margin()))}
                </output>
            </dd>
        </div>
    }
}

/// Name of what is measured of the run on screen.
fn heading(state: State, measure: Measure) -> &'static str {
    match measure {
        Measure::Accuracy => "Accuracy",
        Measure::Loss if state.is_codec() => "Share of tokens wrong",
        Measure::Loss => "Loss",
    }
}

/// Unit of what is measured of the run on screen.
fn unit(state: State, measure: Measure) -> &'static str {
    match measure {
        Measure::Accuracy => "share of answers' tokens right",
        Measure::Loss if state.is_codec() => "share of tokens wrong",
        Measure::Loss => "loss, nats per token",
    }
}

/// Level that the run on screen is held against: its floor, or its reference; of accuracies, that of the likeliest outputs.
fn find_level(state: State, measure: Measure) -> Option<Level> {
    state.model.with(|model| {
        let model = model.as_ref()?;
        if measure == Measure::Accuracy {
            let loss = model.likeliest?;
            return Some(Level { name: "likeliest outputs".into(), loss, is_floor: false });
        }
        let floor = model.floor.as_ref().map(|floor| Level {
            name: "best possible".into(),
            loss: floor.nats_per_char,
            is_floor: true,
        });
        let reference = model.reference.clone();
        floor.or(reference.map(|Reference { name, loss, .. }| Level {
            name,
            loss,
            is_floor: false,
        }))
    })
}

/// Number of runs that are not drawn, and of those whose time is not known.
fn describe_others(state: State, axes: Axes) -> String {
    let (drawn, others) = state.drawn_runs(axes.measure);
    let others = match others {
        0 => String::new(),
        count => format!(" Not drawn, for its task or learner is another: {count}."),
    };
    let is_untimed = |run: &&Run| {
        let last = run.last();
        axes.against == Against::Seconds && last.is_some_and(|point| point.seconds.is_none())
    };
    match drawn.iter().filter(is_untimed).count() {
        0 => others,
        count => format!("{others} Without times, of an early version: {count}."),
    }
}

fn list_curves(state: State, axes: Axes) -> Vec<Curve> {
    let (runs, _) = state.drawn_runs(axes.measure);
    let current = state.runs.with(|runs| runs.last().map(|run| run.number));
    runs.iter().map(|run| Curve::new(run, Some(run.number) == current, axes)).collect()
}

/// The chart as it is drawn for a report.
pub(super) fn draw(state: State) -> String {
    let Axes { measure, against } = Axes::default();
    let (size, unit) = ((780, HEIGHT), unit(state, measure));
    let options = Options { size, is_log: false, is_dark: false, against, unit };
    chart::draw(&list_curves(state, Axes::default()), find_level(state, measure), options).svg
}

/// Values of the runs on the chart, and the level that they are held against.
fn list_losses(state: State, axes: Axes) -> Plot {
    let Axes { measure, against } = axes;
    let series = |name: String, points| Series { name, points, labels: Vec::new() };
    let (x, y) = (against.name().into(), unit(state, measure).into());
    let mut plot = Plot { x, y, series: Vec::new() };
    let mut last = 0.0;
    for run in state.drawn_runs(measure).0 {
        let records = run.config.records_per_step();
        run.points.with(|points| {
            for (at, of) in ["training", "validation"].into_iter().enumerate() {
                let points = points.iter().filter_map(|point| {
                    let (x, y) = (against.place(point, records)?, axes.values(point)[at]?);
                    Some([x as f32, y as f32])
                });
                let points: Vec<[f32; 2]> = points.collect();
                last = points.last().map_or(last, |point| f32::max(last, point[0]));
                if !points.is_empty() {
                    plot.series.push(series(format!("{}, {of}", run.name), points));
                }
            }
        });
    }
    if let Some(Level { name, loss, .. }) = find_level(state, measure) {
        plot.series.push(series(name, [0.0, last].map(|x| [x, loss as f32]).to_vec()));
    }
    plot
}

/// `act`, held back so that it happens at most every [`REDRAW_MS`].
fn limit_rate(act: impl Fn() + Clone + Send + Sync + 'static) -> impl Fn() + Clone + Send + Sync {
    let is_due = StoredValue::new(false);
    let last = StoredValue::new(f64::NEG_INFINITY);
    move || {
        if is_due.get_value() {
            return;
        }
        is_due.set_value(true);
        let act = act.clone();
        let rest = (last.get_value() + REDRAW_MS - js_sys::Date::now()).clamp(0.0, REDRAW_MS);
        let redraw = move || {
            is_due.set_value(false);
            last.set_value(js_sys::Date::now());
            act();
        };
        Timeout::new(rest as u32, redraw).forget();
    }
}
