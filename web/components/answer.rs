use confab::figure::show_token;
use confab::protocol::Answer;
use leptos::ev;
use leptos::prelude::*;

use crate::browser;
use crate::state::use_state;
use crate::tables::escape;

/// Width of a character and height of a line, in the picture's units.
const WIDTH: usize = 10;
const LINE: usize = 22;
/// Longest line, in characters: it fits a phone.
const COLUMNS: usize = 34;
/// Columns of the names before the answers.
const LABEL: usize = 7;
/// Height of the bar of a certain character, and room above and below.
const BAR: usize = 12;
const MARGIN: usize = 6;

/// A question of the task with the true answer, the model's, and what the chosen character of it reads. Until the first
/// answer it shows `placeholder`.
#[component]
pub fn AnswerView(placeholder: String) -> impl IntoView {
    let state = use_state();
    let chosen = RwSignal::new(0);
    let count = move || state.answer.with(|answer| answer.as_ref().map_or(0, |of| of.said.len()));
    let place = move || chosen.get().min(count().saturating_sub(1));
    let point = move |event: ev::PointerEvent| {
        if let Some(at) = browser::place_of(&event) {
            chosen.set(at);
        }
    };
    let press = move |event: ev::KeyboardEvent| {
        let (at, last) = (untrack(place), untrack(count).saturating_sub(1));
        chosen.set(match event.key().as_str() {
            "ArrowRight" => (at + 1).min(last),
            "ArrowLeft" => at.saturating_sub(1),
            "Home" => 0,
            "End" => last,
            _ => return,
        });
        event.prevent_default();
    };
    let drawn = move || {
        let place = place();
        state.answer.with(|answer| answer.as_ref().map(|answer| draw(answer, place)))
    };
    view! {
        <div
            class="answer"
            tabindex="0"
            role="application"
            aria-label="The model’s answer. Arrow keys choose a character and show what it reads."
            on:pointermove=point
            on:pointerdown=point
            on:keydown=press
            inner_html=move || drawn().unwrap_or_else(|| placeholder.clone())
        ></div>
    }
}

/// Places of tokens in lines.
struct Placed {
    text: String,
    column: usize,
    line: usize,
}

impl Placed {
    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Middle of the token, and the top of its line.
    fn middle(&self) -> (usize, usize) {
        (MARGIN + self.column * WIDTH + self.width() * WIDTH / 2, MARGIN + self.line * LINE)
    }
}

/// Lays tokens out from a line and a column on, in lines of [`COLUMNS`]; a line break ends one.
fn lay_out(tokens: &[String], mut line: usize, start: usize) -> Vec<Placed> {
    let mut column = start;
    let place = |token: &String| {
        let text = token.trim_matches('\n').to_owned();
        let width = text.chars().count();
        if column > start && column + width > COLUMNS {
            (line, column) = (line + 1, start);
        }
        let placed = Placed { text, column, line };
        column += width;
        if token.ends_with('\n') {
            (line, column) = (line + 1, start);
        }
        placed
    };
    tokens.iter().map(place).collect()
}

fn draw(answer: &Answer, chosen: usize) -> String {
    let question = lay_out(&answer.question, 0, 0);
    let last = question.last().map_or(0, |token| token.line);
    let truth = lay_out(&answer.truth, last + 1, LABEL);
    let below = truth.last().map_or(last + 1, |token| token.line) + 1;
    // As many characters as the true answer has, so what breaks a line is drawn as a sign.
    let sign = |token: &String| match token.trim().is_empty() {
        true => show_token(token),
        false => token.clone(),
    };
    let tokens: Vec<String> = answer.said.iter().map(|said| sign(&said.token)).collect();
    let said = lay_out(&tokens, below, LABEL);
    let lines = said.last().map_or(below, |token| token.line) + 1;
    let (width, height) = (2 * MARGIN + COLUMNS * WIDTH, 2 * MARGIN + lines * LINE + BAR);

    let mut svg = format!("<svg viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">");
    let reads = answer.reads.get(chosen).map_or(&[][..], Vec::as_slice);
    if let Some(from) = said.get(chosen) {
        for (key, weight) in question.iter().chain(&said).zip(reads) {
            svg += &draw_read(from, key, *weight);
        }
    }
    question.iter().for_each(|token| svg += &write(token, kind_of(&token.text)));
    for (label, line) in [("true", last + 1), ("model", below)] {
        let y = MARGIN + line * LINE + 16;
        svg += &format!("<text class=\"label\" x=\"{MARGIN}\" y=\"{y}\">{label}</text>");
    }
    truth.iter().for_each(|token| svg += &write(token, kind_of(&token.text)));
    for (at, (token, of)) in said.iter().zip(&answer.said).enumerate() {
        let class = match (answer.truth.get(at) == Some(&of.token), at == chosen) {
            (true, false) => "right",
            (true, true) => "right chosen",
            (false, false) => "wrong",
            (false, true) => "wrong chosen",
        };
        let (x, y) = (MARGIN + token.column * WIDTH, MARGIN + token.line * LINE);
        let (width, bar) = (token.width() * WIDTH, (of.probability * BAR as f32).round());
        svg += &format!(
            "<g data-at=\"{at}\" class=\"{class}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{LINE}\"></rect>\
             {}<rect class=\"sure\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{bar}\"></rect></g>",
            write(token, "said"),
            x + 1,
            y + LINE,
            width.saturating_sub(2),
        );
    }
    svg + "</svg><p class=\"hint\" aria-live=\"polite\">"
        + &escape(&describe(answer, chosen))
        + "</p>"
}

/// A line from a character of the answer to a token that it reads, as strong as its weight.
fn draw_read(from: &Placed, key: &Placed, weight: f32) -> String {
    if weight < 0.02 || key.width() == 0 {
        return String::new();
    }
    let ((x, y), (to_x, to_y)) = (from.middle(), key.middle());
    let (left, width) = (MARGIN + key.column * WIDTH, key.width() * WIDTH);
    format!(
        "<rect class=\"read\" x=\"{left}\" y=\"{to_y}\" width=\"{width}\" height=\"{LINE}\" opacity=\"{weight:.2}\"></rect>\
         <path d=\"M{x} {y}C{x} {} {to_x} {} {to_x} {}\" opacity=\"{weight:.2}\"></path>",
        y - y.min(LINE),
        to_y + 2 * LINE,
        to_y + LINE,
    )
}

fn write(token: &Placed, class: &str) -> String {
    if token.text.trim().is_empty() {
        return String::new();
    }
    let (x, y) = (MARGIN + token.column * WIDTH, MARGIN + token.line * LINE + 16);
    let length = token.width() * WIDTH;
    format!(
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" textLength=\"{length}\">{}</text>",
        escape(&token.text)
    )
}

fn kind_of(token: &str) -> &'static str {
    match token.chars().next() {
        Some(first) if first.is_ascii_digit() => "digit",
        Some(first) if first.is_alphabetic() => "letter",
        _ => "mark",
    }
}

/// `“3” is right, 97% sure. L1H2 reads “3” 88%, “-” 4%. 11 of 12 are right.`
fn describe(answer: &Answer, chosen: usize) -> String {
    let count = format!("{} of {} are right.", answer.right(), answer.truth.len());
    let (Some(said), Some(reads)) = (answer.said.get(chosen), answer.reads.get(chosen)) else {
        return count;
    };
    let verdict = match answer.truth.get(chosen) {
        Some(truth) if *truth == said.token => "right".to_owned(),
        Some(truth) => format!("wrong, “{}” is true", show_token(truth)),
        None => "too much".to_owned(),
    };
    let tokens: Vec<&str> = answer.question.iter().map(String::as_str).collect();
    let tokens: Vec<&str> =
        tokens.into_iter().chain(answer.said.iter().map(|said| &*said.token)).collect();
    let order = confab::report::order(reads.len(), &|a, b| reads[b].total_cmp(&reads[a]));
    let read = order.into_iter().take(2).map(|at| {
        format!(
            "“{}” {:.0}%",
            tokens.get(at).map_or(String::new(), |token| show_token(token)),
            100.0 * reads[at]
        )
    });
    format!(
        "“{}” is {verdict}, {:.0}% sure. Head L{}H{} reads {}. {count}",
        show_token(&said.token),
        100.0 * said.probability,
        answer.head.0,
        answer.head.1,
        read.collect::<Vec<_>>().join(", "),
    )
}
