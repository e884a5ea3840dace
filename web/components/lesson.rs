use gloo_timers::callback::Interval;
use leptos::prelude::*;

use super::answer::AnswerView;
use super::controls::{button, live};
use crate::actions::use_actions;
use crate::browser;
use crate::lessons::{LESSONS, Lesson, Question, Step};
use crate::state::use_state;
use crate::view::View;

/// The lessons, as cards.
#[component]
pub fn Lessons() -> impl IntoView {
    let actions = use_actions();
    let card = move |(at, lesson): (usize, &'static Lesson)| {
        let Lesson { title, level, minutes, about, .. } = lesson;
        view! {
            <button class="card" on:click=move |_| actions.begin_lesson(at + 1)>
                <strong>{format!("{}. {title}", at + 1)}</strong>
                <span>{*about}</span>
                <span class="hint">{format!("{level} · {minutes} minutes")}</span>
            </button>
        }
    };
    view! {
        <section class="panel lessons" aria-label="Lessons">
            <h2>"Lessons"</h2>
            <div class="cards">{LESSONS.iter().enumerate().map(card).collect_view()}</div>
        </section>
    }
}

/// The lesson under way, a step at a time.
#[component]
pub fn LessonCard() -> impl IntoView {
    let state = use_state();
    let opened = move || {
        let (lesson, step) = state.lesson.get()?;
        let lesson = LESSONS.get(lesson)?;
        Some(view! { <Opened lesson step=step.min(lesson.steps.len() - 1)/> })
    };
    view! { {opened} }
}

#[component]
fn Opened(lesson: &'static Lesson, step: usize) -> impl IntoView {
    let state = use_state();
    let last = lesson.steps.len() - 1;
    let of: &'static Step = &lesson.steps[step.min(last)];
    let chosen = RwSignal::new(None::<usize>);
    let begun = untrack(|| state.runs.with(|runs| runs.last().map(|run| run.number)));
    let is_done = Memo::new(move |_| {
        of.goal.holds(state, begun) && (of.ask.is_none() || chosen.get().is_some())
    });
    state.view.set(of.view);
    if !browser::is_wide() {
        browser::window().scroll_to_with_x_and_y(0.0, 0.0); // where the lesson stands
    }
    point_at(of.points_at);
    let go = move |step: Option<usize>| match step {
        Some(step) => state.lesson.update(|lesson| {
            if let Some((_, at)) = lesson {
                *at = step;
            }
        }),
        None => {
            state.lesson.set(None);
            state.view.set(View::Learn);
        }
    };
    let next = (step < last).then_some(step + 1);
    view! {
        <aside class="panel lesson" aria-label="Lesson">
            <div class="heading">
                <h2>{lesson.title}</h2>
                <span class="hint">{format!("{} of {}", step + 1, last + 1)}</span>
                {button("Leave", "Ends the lesson; what you have done stays", move || go(None))}
            </div>
            <p>{of.text}</p>
            {of.ask.as_ref().map(|question| view! { <Ask question chosen/> })}
            <Show when=move || state.answer.with(Option::is_some)>
                <AnswerView placeholder=String::new()/>
            </Show>
            <div class="group">
                {(step > 0).then(|| button("Back", "", move || go(Some(step - 1))))}
                <button
                    class="primary"
                    disabled=move || !is_done.get()
                    on:click=move |_| go(next)
                >
                    {if next.is_some() { "Next" } else { "Finish" }}
                </button>
                <span class="hint" role="status">
                    {live(move || match (is_done.get(), of.ask.is_some() && chosen.get().is_none()) {
                        (true, _) => "Done.",
                        (false, true) => "Make your prediction.",
                        (false, false) => "Waiting for it.",
                    })}
                </span>
            </div>
        </aside>
    }
}

/// A prediction to make, and what is right once it is made.
#[component]
fn Ask(question: &'static Question, chosen: RwSignal<Option<usize>>) -> impl IntoView {
    let choice = move |(at, text): (usize, &'static &'static str)| {
        view! {
            <label class="switch">
                <input
                    type="radio"
                    name="prediction"
                    on:change=move |_| chosen.set(Some(at))
                />
                {*text}
            </label>
        }
    };
    let told = move || match chosen.get() {
        None => String::new(),
        Some(at) if at == question.right => format!("Yes. {}", question.why),
        Some(_) => {
            format!(
                "No: {}. {}",
                browser::lower_case(question.choices[question.right]),
                question.why
            )
        }
    };
    view! {
        <fieldset class="prediction">
            <legend>{question.text}</legend>
            {question.choices.iter().enumerate().map(choice).collect_view()}
            <p class="told" role="status">{live(told)}</p>
        </fieldset>
    }
}

/// Marks the control that a step is about as long as the step is shown. What it points at may come later, or be drawn anew.
fn point_at(selector: &'static str) {
    const CLASS: &str = "pointed-at";
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    let unmark = move || {
        if let Some(element) = find(".pointed-at") {
            let _ = element.class_list().remove_1(CLASS);
        }
    };
    let mark = move || {
        if let Some(element) = find(selector)
            && !element.class_list().contains(CLASS)
        {
            unmark();
            let _ = element.class_list().add_1(CLASS);
            let place = element.get_bounding_client_rect();
            let height = browser::window().inner_height().ok().and_then(|height| height.as_f64());
            let is_below = height.is_some_and(|height| place.top() > height - 120.0);
            if browser::is_wide() && (is_below || place.bottom() < 60.0) {
                element.scroll_into_view_with_bool(!is_below);
            }
        }
    };
    // Dropped, and so ended, with the step.
    StoredValue::new_local(Interval::new(200, mark));
    on_cleanup(unmark);
}
