//! The menu beside every figure that saves it.

use std::sync::Arc;

use confab::figure::{Axis, Content, Figure, Grid, name_file};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::menu::menu;
use super::theme::Dark;
use crate::actions::{Look, Seen, Wish, use_actions};
use crate::browser;
use crate::state::{State, use_state};

/// A figure as it is saved.
pub struct Saved {
    /// Name of the file, without its ending.
    pub name: String,
    pub figure: Figure,
    pub picture: Picture,
}

pub enum Picture {
    /// Drawn from the numbers of the figure.
    Drawn,
    /// The SVG that the page shows.
    Shown(String),
    /// None, because the page shows a table.
    None,
}

impl Saved {
    /// A table of numbers, `[row, column]`, under `name`.
    pub fn table(
        name: String,
        title: &str,
        rows: Vec<String>,
        columns: &[&str],
        values: Vec<f32>,
    ) -> Self {
        let columns = columns.iter().map(|column| (*column).into()).collect();
        let grid = Grid::new(Axis::new("", rows), Axis::new("", columns), values);
        Self { picture: Picture::None, ..Self::drawn(name, title, "", Content::Grid(grid)) }
    }

    /// A figure whose picture is drawn from `content`.
    pub fn drawn(name: String, title: &str, note: &str, content: Content) -> Self {
        let figure = Figure { title: title.into(), note: note.into(), content };
        Self { name, figure, picture: Picture::Drawn }
    }
}

/// `phone-3000-attention-l1h2`: the task of the model, the step and what is saved.
pub fn name_saved(state: State, step: usize, what: &str) -> String {
    name_shown(state, &step.to_string(), what)
}

fn name_shown(state: State, shown: &str, what: &str) -> String {
    let task = state.model.with(|model| model.as_ref().map(|model| model.config.task.kind.name()));
    name_file(&[task.unwrap_or("model"), shown, what])
}

type Source = Arc<dyn Fn() -> Option<Saved> + Send + Sync>;

/// The menu of the figure that `source` gives.
pub fn save_menu(source: impl Fn() -> Option<Saved> + Send + Sync + 'static) -> AnyView {
    offer(Arc::new(source), None)
}

/// The menu of a figure that follows the step that is shown: saves it at one, or at all that are kept.
pub fn save_menu_of_steps(look: Look) -> AnyView {
    let state = use_state();
    let shown = look.clone();
    let source = move || {
        let Seen { figure, step, what, .. } = shown()?;
        Some(Saved { name: name_saved(state, step, &what), figure, picture: Picture::Drawn })
    };
    offer(Arc::new(source), Some(look))
}

const COPY_LINK: &str = "Copy link";

const GIF: &str = "GIF over the steps";
const PNGS: &str = "PNG sequence (zip)";

fn offer(source: Source, look: Option<Look>) -> AnyView {
    let (state, actions) = (use_state(), use_actions());
    let Dark(is_dark) = expect_context();
    let formats = {
        let source = source.clone();
        let has_steps = look.is_some();
        move || {
            let has_steps = has_steps && state.kept.with_untracked(|(steps, _)| steps.len() > 1);
            let saved = untrack(|| source());
            saved.map_or(vec![COPY_LINK], |saved| list_formats(&saved, has_steps))
        }
    };
    let choose = move |format: &'static str| {
        if format == COPY_LINK {
            return actions.share();
        }
        if let (GIF | PNGS, Some(look)) = (format, &look) {
            let Some(Seen { what, .. }) = untrack(|| look()) else { return };
            return actions.film(Wish {
                look: look.clone(),
                name: untrack(|| name_shown(state, "steps", &what)),
                is_gif: format == GIF,
                is_dark: is_dark.get_untracked(),
            });
        }
        let Some(saved) = untrack(|| source()) else { return };
        spawn_local(async move {
            if let Err(reason) = save(saved, format, is_dark.get_untracked()).await {
                state.notify(format!("The figure could not be saved: {reason}."));
            }
        });
    };
    menu("Save", "Save this figure as a picture or as numbers", formats, choose)
}

fn list_formats(saved: &Saved, has_steps: bool) -> Vec<&'static str> {
    let is_table = matches!(saved.figure.content, Content::Table(_));
    match saved.picture {
        _ if is_table => vec!["CSV", "JSON", COPY_LINK],
        Picture::None => vec!["CSV", "JSON", "NPY", COPY_LINK],
        _ if has_steps => vec!["PNG", "SVG", GIF, PNGS, "CSV", "JSON", "NPY", COPY_LINK],
        _ => vec!["PNG", "SVG", "CSV", "JSON", "NPY", COPY_LINK],
    }
}

async fn save(saved: Saved, format: &str, is_dark: bool) -> Result<(), String> {
    let Saved { name, figure, picture } = saved;
    let name = format!("{name}.{}", format.to_ascii_lowercase());
    match format {
        "CSV" => browser::download(&name, "text/csv", figure.to_csv().as_bytes()),
        "JSON" => browser::download(&name, "application/json", figure.to_json().as_bytes()),
        "NPY" => {
            let bytes = figure.to_npy().unwrap_or_default();
            browser::download(&name, "application/octet-stream", &bytes)
        }
        _ => {
            let svg = match picture {
                Picture::Shown(svg) => svg,
                _ => figure.to_svg(is_dark)?,
            };
            match format {
                "PNG" => browser::download_png(&name, &svg).await,
                _ => browser::download(&name, "image/svg+xml", svg.as_bytes()),
            }
        }
    }
}
