//! Keys, noise and digits.

use super::traced::{Traced, figure};
use crate::codec::distance::distance;
use crate::codec::number::{PLACES, digit, fraction};
use crate::figure::{Axis, Content, Figure, Grid, Plot, Series};

pub fn keys(traced: &Traced) -> Result<Vec<Figure>, String> {
    let (run, step) = (traced.run, &traced.steps[traced.at]);
    let keys = &run.codec.keys;
    // Keys of one number lie on a line, and each noise on a line of its own above it.
    let is_line = keys.width() == 1;
    let point = |key: &[u32], level: usize| {
        let number = |of: usize| key.get(of).map_or(0.0, |number| fraction(*number) as f32);
        [number(0), if is_line { level as f32 } else { number(1) }]
    };
    let tokens = 0..keys.len() as u32;
    let mut series = vec![Series {
        name: "keys".into(),
        points: tokens.clone().map(|token| point(keys.of(token), 0)).collect(),
        labels: tokens.map(|token| traced.name(token)).collect(),
    }];
    let noises = step.noises.chunks_exact(keys.width()).zip(&step.reached);
    for (level, (noise, reached)) in (1..).zip(noises) {
        let name = format!("{} − noise → {}", traced.name(step.token), traced.name(*reached));
        let embedding = keys.encode(step.token, noise);
        let points = vec![point(keys.of(step.token), level), point(&embedding, level)];
        series.push(Series { name, points, labels: Vec::new() });
    }
    let y = if is_line { "noise" } else { "second number" };
    let note = "Each token's key; a line leads from the key of the chosen token to what is left of it when the noise is \
                subtracted, modulo 1. The nearest key by the digit distance is written."
        .into();
    let plot = Plot { x: "first number".into(), y: y.into(), series };
    Ok(vec![figure("Keys and noise", note, Content::Plot(plot))])
}

/// Nearest keys that are compared.
const COMPARED: usize = 5;

pub fn digits(traced: &Traced) -> Result<Vec<Figure>, String> {
    let step = &traced.steps[traced.at];
    let keys = &traced.run.codec.keys;
    let width = keys.width();
    let token = traced.name(step.token);
    let one = |(index, noise): (usize, &[u32])| {
        let key = keys.of(step.token);
        let embedding = keys.encode(step.token, noise);
        let mut nearest: Vec<u32> = (0..keys.len() as u32).collect();
        nearest.sort_by_key(|token| keys.metric.of_keys(&embedding, keys.of(*token)));
        nearest.truncate(COMPARED);
        let mut names = vec![format!("key of {token}"), "noise".into(), "what is left".into()];
        let (mut values, mut texts) = (vec![0.0; 3 * width * PLACES], Vec::new());
        for row in [key, noise, &embedding] {
            texts.extend(all_digits(row));
        }
        for near in nearest {
            let other = keys.of(near);
            let total = distance(keys.metric.of_keys(&embedding, other));
            names.push(format!("{} at {total:.3}", traced.name(near)));
            texts.extend(all_digits(other));
            for (a, b) in embedding.iter().zip(other) {
                values.extend((0..PLACES).map(|place| keys.metric.at_place(*a, *b, place) as f32));
            }
        }
        let places = (0..width).flat_map(|number| (1..=PLACES).map(move |place| (number, place)));
        let places = places.map(|(number, place)| match width {
            1 => place.to_string(),
            _ => format!("{}.{place}", number + 1),
        });
        let rows = Axis::new("", names);
        let grid = Grid::new(rows, Axis::new("decimal place", places.collect()), values);
        let title = format!("Noise {} of {token}", index + 1);
        let note = "Digits of the key, the noise and their difference, and of the nearest keys. Shade: what a place adds to \
                    the distance. Places to the right weigh less."
            .to_owned();
        figure(&title, note, Content::Grid(Grid { texts, ..grid }))
    };
    Ok(step.noises.chunks_exact(width).enumerate().map(one).collect())
}

fn all_digits(key: &[u32]) -> impl Iterator<Item = String> {
    let digits = key.iter().flat_map(|number| (0..PLACES).map(|place| digit(*number, place)));
    digits.map(|digit| digit.to_string())
}
