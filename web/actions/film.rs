//! Films: a figure at each kept step, drawn into one file.

use std::sync::Arc;
use std::time::Duration;

use confab::base::plot::size_of;
use confab::figure::Figure;
use confab::protocol::{Baseline, Command, Film, FilmForm};
use confab::run::{AnalysisRequest, Intervention};
use gloo_timers::future::sleep;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Actions;
use crate::browser;
use crate::head::Head;
use crate::runs::group_digits;

/// Most pixels of a picture, which any browser's canvas holds, and most along a side.
const MAX_PIXELS: usize = 1 << 24;
const MAX_SIDE: u32 = 1 << 14;
/// Most pixels of all pictures together.
const MAX_IN_ALL: usize = 1 << 28;
/// Times its size on the page that a picture has: as one that is saved alone, or where that is too much in all.
const SCALES: [u32; 2] = [2, 1];
/// Time between two looks at whether a figure has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A figure as the page shows it now.
pub struct Seen {
    pub figure: Figure,
    /// Step of the model that it is of.
    pub step: usize,
    /// False while more of it is computed.
    pub is_done: bool,
    /// Name of the figure in the names of files: `attention L0H3`.
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

/// Inputs of a figure beside the model and its step: prompt, request, head, baseline and ablations.
type Asked = (String, AnalysisRequest, Head, Option<Baseline>, Vec<Intervention>);

impl Actions {
    /// Shows one kept step after another, makes a file of the figure at each, and then shows again what was shown.
    pub fn film(self, wish: Wish) {
        let state = self.state;
        if state.drawing.get_untracked().is_some() {
            let text = "A figure is drawn over the steps already: wait for it, or cancel it.";
            return state.notify(text);
        }
        state.stops_drawing.set(false);
        let before = state.visited.get_untracked();
        spawn_local(async move {
            let mut shown = before;
            let drawn = self.draw(&wish, &mut shown).await;
            let at = state.drawing.get_untracked();
            state.drawing.set(None);
            // Unless the user, or another model, has left the film's step.
            if state.visited.get_untracked() == shown {
                state.visited.set(before);
                self.visit();
            }
            let Err(reason) = drawn else { return };
            self.send(Command::Film(Film::Drop));
            if !state.stops_drawing.get_untracked() {
                let at = at.map_or(String::new(), |(picture, of)| {
                    format!(", at picture {picture} of {of}")
                });
                state.notify(format!("{} was not made{at}: {reason}.", wish.name));
            }
        });
    }

    /// Stops the film before its next picture.
    pub fn cancel_film(&self) {
        self.state.stops_drawing.set(true);
    }

    /// Draws the film and sends it to the session, which answers with the file. `shown` is the step that it shows.
    async fn draw(&self, wish: &Wish, shown: &mut Option<usize>) -> Result<(), String> {
        let state = self.state;
        let kept = state.kept.with_untracked(|(steps, _)| steps.clone());
        if kept.len() < 2 {
            return Err("the run has fewer than two kept steps".into());
        }
        let first = (wish.look)().ok_or(GONE)?.figure;
        let asked = self.asked_of_figures();
        let size = size_of(&first.to_captioned_svg("", None, wish.is_dark)?);
        let (scale, count) = fit(size, kept.len())?;
        self.send(Command::Film(Film::Begin(match wish.is_gif {
            true => FilmForm::Gif {
                width: (size.0 * scale) as u16,
                height: (size.1 * scale) as u16,
                pictures: count,
            },
            false => FilmForm::Zip,
        })));
        let last = kept.len() - 1;
        let digits = kept.last().map_or(0, |step| step.to_string().len());
        for picture in 0..count {
            let step = kept[picture * last / (count - 1)];
            // The user may have gone elsewhere while the last picture was drawn.
            if state.visited.get_untracked() != *shown {
                return Err(ELSEWHERE.into());
            }
            state.drawing.set(Some((picture + 1, count)));
            *shown = Some(step);
            state.visited.set(*shown);
            self.visit();
            let figure = self.wait_for(step, wish, &asked).await?;
            let caption = format!("step {}", group_digits(step));
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
        if count < kept.len() {
            state.notify(format!(
                "{} has {count} of the {} kept steps, evenly chosen: more pictures of this size would take too much \
                 memory. A shorter prompt makes them smaller.",
                wish.name,
                kept.len(),
            ));
        }
        Ok(())
    }

    /// Waits until the figure is that of `step`.
    async fn wait_for(&self, step: usize, wish: &Wish, asked: &Asked) -> Result<Figure, String> {
        let state = self.state;
        loop {
            sleep(LOOK_EVERY).await;
            let reason = if state.stops_drawing.get_untracked() {
                "it was cancelled"
            } else if state.visited.get_untracked() != Some(step) {
                ELSEWHERE
            } else if self.asked_of_figures() != *asked {
                "another figure was asked for meanwhile"
            } else if !state.kept.with_untracked(|(steps, _)| steps.contains(&step)) {
                "its step has made room for later ones; try again"
            } else {
                match (wish.look)() {
                    Some(seen) if seen.step == step && seen.is_done => return Ok(seen.figure),
                    Some(_) => continue,
                    None => GONE,
                }
            };
            return Err(reason.into());
        }
    }

    fn asked_of_figures(&self) -> Asked {
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

const ELSEWHERE: &str = "another step or model was chosen meanwhile";
const GONE: &str = "the figure is no longer on show; stay at it while it is drawn";

/// Chooses the scale of pictures, and how many of `count` there is room for. Fails if even one is too large.
fn fit((width, height): (u32, u32), count: usize) -> Result<(u32, usize), String> {
    let pixels = |scale: u32| (width * scale) as usize * (height * scale) as usize;
    let is_possible =
        |scale: u32| width.max(height) <= MAX_SIDE / scale && pixels(scale) <= MAX_PIXELS;
    let [large, small] = SCALES;
    let scale = match is_possible(large) && pixels(large).saturating_mul(count) <= MAX_IN_ALL {
        true => large,
        false if is_possible(small) => small,
        false => {
            return Err(format!(
                "{width} × {height} pixels are too many for a picture; a shorter prompt makes it smaller"
            ));
        }
    };
    // At least 16, by the most that a picture has.
    Ok((scale, count.min(MAX_IN_ALL / pixels(scale).max(1))))
}
