//! Films: a figure at each kept step, drawn into one file.

use std::sync::Arc;

use confab::base::plot::size_of;
use confab::figure::Figure;
use confab::protocol::{Baseline, Command, Film, FilmForm};
use confab::run::{AnalysisRequest, Intervention};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Actions;
use crate::browser;
use crate::head::Head;
use crate::runs::group_digits;
use crate::state::Drawing;

/// Most pixels of a picture, which any browser's canvas holds, and most along a side.
const MAX_PIXELS: usize = 1 << 24;
const MAX_SIDE: u32 = 1 << 14;
/// Most pixels of all pictures together.
const MAX_IN_ALL: usize = 1 << 28;
/// Times its size on the page that a picture has: as one that is saved alone, or where that is too much in all.
const SCALES: [u32; 2] = [2, 1];
/// Milliseconds between two looks at whether a figure has come.
const LOOK_EVERY: i32 = 20;

/// A figure as the page shows it now.
pub struct Seen {
    pub figure: Figure,
    /// Step of the model that it is of.
    pub step: usize,
    /// False while more of it is computed.
    pub is_done: bool,
    /// What it is called in the names of files: `attention L0H3`.
    pub what: String,
}

/// Looks at a figure; `None` if it is no longer on show.
pub type Look = Arc<dyn Fn() -> Option<Seen> + Send + Sync>;

/// A film that is asked for.
pub struct Wish {
    pub look: Look,
    /// Name of the file, without its ending.
    pub name: String,
    /// A GIF, and not a zip of PNG files.
    pub is_gif: bool,
    pub is_dark: bool,
}

/// What a figure depends on beside the model and its step.
type Dependencies = (String, AnalysisRequest, Head, Option<Baseline>, Vec<Intervention>);

/// Why a film was not finished: because the user cancelled it, or for a reason.
enum Stop {
    Cancelled,
    Failed(String),
}

impl<T: Into<String>> From<T> for Stop {
    fn from(reason: T) -> Self {
        Self::Failed(reason.into())
    }
}

impl Actions {
    /// Shows one kept step after another, makes a file of the figure at each, and then shows again what was shown.
    pub fn film(self, wish: Wish) {
        let state = self.state;
        if state.drawing.with_untracked(Option::is_some) {
            return state
                .notify("A figure is drawn over the steps already: wait for it, or cancel it.");
        }
        let before = state.visited.get_untracked();
        spawn_local(async move {
            let mut shown = before;
            let drawn = self.draw_film(&wish, &mut shown).await;
            let last = state.drawing.get_untracked();
            state.drawing.set(None);
            // Unless the user, or another model, has left the film's step.
            if shown != before && state.visited.get_untracked() == shown {
                state.visited.set(before);
                self.visit();
            }
            match drawn {
                Ok(None) => {}
                Ok(Some(note)) => state.notify(note),
                Err(stop) => {
                    self.send(Command::Film(Film::Drop));
                    if let Stop::Failed(reason) = stop {
                        let at = last.map_or(String::new(), |drawing| {
                            format!(" at picture {} of {}", drawing.picture, drawing.of)
                        });
                        state.notify(format!(
                            "{} was not made: it stopped{at}, because {reason}.",
                            wish.name
                        ));
                    }
                }
            }
        });
    }

    /// Stops the film before its next picture.
    pub fn cancel_film(&self) {
        self.state
            .drawing
            .update(|drawing| drawing.iter_mut().for_each(|of| of.is_cancelled = true));
    }

    /// Draws the film and sends it to the session, which answers with the file. Gives what the user is to know of it;
    /// `shown` is the step that it shows.
    async fn draw_film(
        &self,
        wish: &Wish,
        shown: &mut Option<usize>,
    ) -> Result<Option<String>, Stop> {
        let state = self.state;
        let kept = state.kept.with_untracked(|(steps, _)| steps.clone());
        let first = (wish.look)().ok_or(GONE)?;
        let asked = self.dependencies();
        let size = size_of(&first.figure.to_captioned_svg("", None, wish.is_dark)?);
        let (scale, count) = fit(size, kept.len())?;
        let steps = choose_evenly(&kept, count);
        let form = match wish.is_gif {
            true => FilmForm::Gif {
                width: (size.0 * scale) as u16,
                height: (size.1 * scale) as u16,
                pictures: steps.len(),
            },
            false => FilmForm::Zip,
        };
        self.send(Command::Film(Film::Begin(form)));
        let digits = steps.last().map_or(0, |step| step.to_string().len());
        state.drawing.set(Some(Drawing { picture: 1, of: steps.len(), is_cancelled: false }));
        for (number, step) in (1..).zip(&steps) {
            state.drawing.update(|drawing| drawing.iter_mut().for_each(|of| of.picture = number));
            *shown = Some(*step);
            state.visited.set(*shown);
            self.visit();
            let figure = self.wait_for(*step, wish, &asked).await?;
            let caption = format!("step {}", group_digits(*step));
            let svg = figure.to_captioned_svg(&caption, Some(size), wish.is_dark)?;
            let canvas = browser::draw(&svg, scale).await?;
            let bytes = match wish.is_gif {
                true => browser::read_pixels(&canvas)?,
                false => browser::read_png(&canvas).await?,
            };
            let name = format!("step-{step:0digits$}.png");
            self.send(Command::Film(Film::Add { name, bytes }));
        }
        self.send(Command::Film(Film::Finish { name: wish.name.clone() }));
        let note = format!(
            "{} has {count} of the {} kept steps, evenly chosen: more pictures of {} × {} pixels would take too \
             much memory. A shorter prompt makes them smaller.",
            wish.name,
            kept.len(),
            size.0,
            size.1,
        );
        Ok((count < kept.len()).then_some(note))
    }

    /// Waits until the figure is that of `step`.
    async fn wait_for(
        &self,
        step: usize,
        wish: &Wish,
        asked: &Dependencies,
    ) -> Result<Figure, Stop> {
        let state = self.state;
        loop {
            browser::pause(LOOK_EVERY).await?;
            if state.drawing.with_untracked(|drawing| drawing.is_none_or(|of| of.is_cancelled)) {
                return Err(Stop::Cancelled);
            }
            if state.visited.get_untracked() != Some(step) {
                return Err("another model or step was chosen".into());
            }
            if !state.kept.with_untracked(|(steps, _)| steps.contains(&step)) {
                return Err(format!("step {step} has made room for later ones: try again").into());
            }
            let seen = (wish.look)().ok_or(GONE)?;
            if self.dependencies() != *asked {
                return Err("something else was asked for: change that before or after".into());
            }
            if seen.step == step && seen.is_done {
                return Ok(seen.figure);
            }
        }
    }

    fn dependencies(&self) -> Dependencies {
        let state = self.state;
        (
            state.prompt.get_untracked(),
            state.request.get_untracked(),
            state.head.get_untracked(),
            state.baseline.get_untracked(),
            state.ablations.get_untracked(),
        )
    }
}

const GONE: &str = "the figure is no longer on show: stay at it while it is drawn";

/// How many times its `size` a picture has, and how many of `count` pictures there is room for.
fn fit((width, height): (u32, u32), count: usize) -> Result<(u32, usize), String> {
    let pixels = |scale: u32| (width * scale) as usize * (height * scale) as usize;
    let is_drawn =
        |scale: &u32| width.max(height) <= MAX_SIDE / scale && pixels(*scale) <= MAX_PIXELS;
    let scales = || SCALES.into_iter().filter(is_drawn);
    let whole = scales().find(|scale| pixels(*scale).saturating_mul(count) <= MAX_IN_ALL);
    let scale = whole.or(scales().next_back()).ok_or_else(|| {
        format!("{width} × {height} pixels are too many for a picture: a shorter prompt makes it smaller")
    })?;
    Ok((scale, count.min(MAX_IN_ALL / pixels(scale).max(1))))
}

/// `count` of the steps, the first and the last among them.
fn choose_evenly(steps: &[usize], count: usize) -> Vec<usize> {
    let last = steps.len().saturating_sub(1);
    (0..count).map(|index| steps[index * last / (count - 1).max(1)]).collect()
}
