use confab::figure::{Content, Figure, Pick, Table};
use leptos::prelude::*;

use super::controls::{choice, options};
use super::grid::{Cells, Focus, with_grid};
use super::lines::Lines;
use super::matrix::{matrix, scale};
use super::save::save_menu_of_steps;
use super::theme::Dark;
use super::tokens::Tokens;
use crate::actions::Look;
use crate::state::{State, use_state};
use crate::tables;

const PLOT_HEIGHT: u32 = 240;
/// Widest plot, and what a narrow page needs beside one, in pixels.
const WIDEST: i32 = 500;
const AROUND: i32 = 60;

/// Views of a pattern.
const VIEWS: [&str; 4] = ["Matrix", "Lines", "From this token", "To this token"];

/// One figure of the step that is shown: what it is called, what it shows and how that is to be read. `look` gives
/// it to be saved; `children` stand beside the menu, and what is `above` between that and the content.
#[component]
pub fn FigureView(
    figure: Memo<Option<Figure>>,
    look: Look,
    pick: fn(State, Pick, usize),
    #[prop(optional)] above: Option<AnyView>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let title = move || figure.with(|figure| figure.as_ref().map(|figure| figure.title.clone()));
    let note = move || figure.with(|figure| figure.as_ref().map(|figure| figure.note.clone()));
    let kind = Memo::new(move |_| {
        figure.with(|figure| {
            figure.as_ref().map(|figure| match figure.content {
                Content::Grid(_) => 0,
                Content::Table(_) => 1,
                Content::Plot(_) => 2,
            })
        })
    });
    let state = use_state();
    let focus = RwSignal::new(Focus::default());
    // The chosen token of the prompt is looked at where there are positions.
    let positions = Memo::new(move |_| {
        with_grid(figure, |grid| {
            [&grid.rows, &grid.columns].map(|axis| axis.picks == Some(Pick::Position))
        })
    });
    Effect::new(move |_| {
        let [rows, columns] = positions.get().unwrap_or_default();
        let position = state.position();
        let now = focus.get_untracked();
        let is_there = (!rows || now.row == position) && (!columns || now.column == position);
        if !is_there {
            let along = |is_along: bool| position.filter(|_| is_along);
            let is_locked = rows && position.is_some();
            focus.set(Focus { row: along(rows), column: along(columns), is_locked });
        }
    });
    let is_pattern = Memo::new(move |_| with_grid(figure, |grid| grid.is_pattern) == Some(true));
    let content = move || match (kind.get(), state.pattern_view.get()) {
        (Some(0), 0) if is_pattern.get() => matrix(figure, focus, pick),
        (Some(0), 1) if is_pattern.get() => view! { <Lines figure focus/> }.into_any(),
        (Some(0), view) if is_pattern.get() => view! {
            {scale(figure)}
            {view! { <Tokens figure focus is_source=view == 2/> }.into_any()}
        }
        .into_any(),
        (Some(0), _) => {
            view! { <Cells figure focus pick is_fitted=RwSignal::new(false) is_full=false/> }
                .into_any()
        }
        (Some(1), _) => (move || figure.with(|figure| figure.as_ref().map(show_table))).into_any(),
        (Some(_), _) => view! { <Curves figure/> }.into_any(),
        (None, _) => ().into_any(),
    };
    let views = move || {
        is_pattern.get().then(|| {
            let names = move || options(VIEWS.into_iter(), state.pattern_view.get());
            choice("View", names, move |index| state.pattern_view.set(index))
        })
    };
    view! {
        <figure class="found">
            <figcaption class="heading">
                <h3>{title}</h3>
                {views}
                {children.map(|children| children())}
                {save_menu_of_steps(look)}
            </figcaption>
            {above}
            {content}
            <p class="hint">{note}</p>
        </figure>
    }
}

fn show_table(figure: &Figure) -> Option<impl IntoView + use<>> {
    let Content::Table(Table { columns, rows }) = &figure.content else { return None };
    let (first, others) = columns.split_first()?;
    let head = tables::headings(&tables::escape(first), others.iter().map(String::as_str));
    let row = |row: &Vec<String>| {
        let cell = |cell: &String| format!("<td>{}</td>", tables::escape(cell));
        format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    let table = tables::table("facts", &figure.title, &head, &rows);
    Some(view! { <div inner_html=table></div> })
}

#[component]
fn Curves(figure: Memo<Option<Figure>>) -> impl IntoView {
    let Dark(is_dark) = expect_context();
    let svg = move || {
        let body = document().body().map_or(0, |body| body.client_width());
        let width = body.saturating_sub(AROUND).clamp(240, WIDEST) as u32;
        figure.with(|figure| match &figure.as_ref()?.content {
            Content::Plot(plot) => Some(plot.to_svg((width, PLOT_HEIGHT), is_dark.get())),
            _ => None,
        })
    };
    view! { <div inner_html=move || svg().unwrap_or_default()></div> }
}
