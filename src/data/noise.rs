//! Noise on the input in training. Targets stay clean, so a model learns to read past typing errors, and not to
//! rely on every given character.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::config::NoiseConfig;
use crate::base::random::stream_rng;
use crate::tokenizer::Tokenizer;

/// An input token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub id: u32,
    /// Index in the clean tokens of the one to predict next. `None` at the end, and where a swap has already shown
    /// that token.
    pub predicts: Option<usize>,
    /// True if no later token sees it.
    pub is_forgotten: bool,
    /// True if it is noise or follows a dropped token.
    pub is_noise: bool,
}

impl Reading {
    /// The token, or `·` for a forgotten one; line breaks stay.
    pub fn shown<'a>(&self, tokenizer: &'a Tokenizer) -> &'a str {
        match tokenizer.token(self.id).unwrap_or_default() {
            token if self.is_forgotten && token != "\n" => "·",
            token => token,
        }
    }
}

/// Generator of the noise on micro-batch `stream`. Records have a separate generator, so they are the same with
/// noise and without.
pub fn noise_rng(seed: u64, stream: u64) -> ChaCha8Rng {
    stream_rng(seed ^ 0x4E01_5E00, stream)
}

/// Reads the tokens `clean` through noise. The first stays, and noise writes only tokens of `tokenizer`. Each token
/// suffers at most one kind of noise: the first in the order of [`NoiseConfig`] that strikes it and can be written.
pub fn read(
    noise: &NoiseConfig,
    clean: &[u32],
    tokenizer: &Tokenizer,
    rng: &mut ChaCha8Rng,
) -> Vec<Reading> {
    let next = |place: usize| Some(place + 1).filter(|next| *next < clean.len());
    let mut out: Vec<Reading> = Vec::with_capacity(clean.len() + 8);
    let mut place = 0;
    let mut follows_gap = false;
    while place < clean.len() {
        let change = if place == 0 { None } else { strike(noise, clean, place, tokenizer, rng) };
        let mut push = |id, predicts, is_noise| {
            let is_noise = is_noise || std::mem::take(&mut follows_gap);
            out.push(Reading { id, predicts, is_forgotten: false, is_noise });
        };
        match change {
            None => push(clean[place], next(place), false),
            Some(Change::Swap) => {
                push(clean[place + 1], None, true);
                push(clean[place], next(place + 1), true);
                place += 1;
            }
            Some(Change::Drop) => follows_gap = true,
            Some(Change::Replace(id)) => push(id, next(place), true),
            Some(Change::Before(extra)) => {
                push(extra, Some(place), true);
                push(clean[place], next(place), false);
            }
            Some(Change::After(extra)) => {
                push(clean[place], next(place), false);
                push(extra, next(place), true);
            }
        }
        place += 1;
    }
    forget(noise.forget, &mut out, rng);
    out
}

enum Change {
    /// Swap with the next token.
    Swap,
    Drop,
    Replace(u32),
    /// Insert an extra token before this one, or after it.
    Before(u32),
    After(u32),
}

/// Noise on the token at `place`; `None` if none strikes it. Keys and lookalikes are those of single characters.
fn strike(
    noise: &NoiseConfig,
    clean: &[u32],
    place: usize,
    tokenizer: &Tokenizer,
    rng: &mut ChaCha8Rng,
) -> Option<Change> {
    let id = clean[place];
    let text = tokenizer.token(id).unwrap_or_default();
    let mut characters = text.chars();
    let character = characters.next().filter(|_| characters.next().is_none());
    let strikes = |share: f64, rng: &mut ChaCha8Rng| share > 0.0 && rng.random_bool(share);
    let any = |of: &mut dyn Iterator<Item = char>, rng: &mut ChaCha8Rng| {
        let known = |character: char| tokenizer.id(character.encode_utf8(&mut [0; 4]));
        let of: Vec<u32> = of.filter_map(known).collect();
        (!of.is_empty()).then(|| of[rng.random_range(0..of.len() as u32) as usize])
    };
    let swaps = clean.get(place + 1).is_some_and(|next| *next != id);
    if strikes(noise.swap, rng) && swaps {
        return Some(Change::Swap);
    }
    if strikes(noise.drop, rng) {
        return Some(Change::Drop);
    }
    if strikes(noise.insert, rng) {
        return Some(Change::After(rng.random_range(0..tokenizer.text_size() as u32)));
    }
    if strikes(noise.double, rng) {
        return Some(Change::After(id));
    }
    if strikes(noise.neighbour, rng)
        && let Some(neighbour) = any(&mut character.into_iter().flat_map(neighbours), rng)
    {
        return Some(Change::Replace(neighbour));
    }
    if strikes(noise.homoglyph, rng)
        && let Some(lookalike) = any(&mut character.into_iter().flat_map(lookalikes), rng)
    {
        return Some(Change::Replace(lookalike));
    }
    if strikes(noise.space, rng) {
        return match text.chars().all(char::is_whitespace) {
            true if rng.random_bool(0.5) => Some(Change::Drop),
            true => Some(Change::After(id)),
            false => any(&mut std::iter::once(' '), rng).map(Change::Before),
        };
    }
    None
}

/// Rows of the keyboard, each a little to the right of the row above.
const KEYBOARD: [&str; 4] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// Neighbours of `character`'s key on an English keyboard, in the same case.
fn neighbours(character: char) -> impl Iterator<Item = char> {
    let lower = character.to_ascii_lowercase();
    let at = |row: usize, column: usize| KEYBOARD.get(row)?.chars().nth(column);
    let place = (0..KEYBOARD.len())
        .find_map(|row| KEYBOARD[row].chars().position(|key| key == lower).map(|c| (row, c)));
    let around = place.map(|(row, column)| {
        let (above, left) = (row.wrapping_sub(1), column.wrapping_sub(1));
        [
            at(row, left),
            at(row, column + 1),
            at(above, column),
            at(above, column + 1),
            at(row + 1, left),
            at(row + 1, column),
        ]
    });
    around.into_iter().flatten().flatten().map(move |key| match character.is_ascii_uppercase() {
        true => key.to_ascii_uppercase(),
        false => key,
    })
}

/// Groups of characters that look alike, the last ones with Cyrillic letters.
const LOOKALIKES: &[&str] = &[
    "0Oo", "1lI|", "2Zz", "5Ss", "6b", "8B", "9gq", "Cc", "Kk", "Pp", "Uuv", "Vv", "Ww", "Xx",
    "-_", ".,", ":;", "'`", "({[", ")}]", "aа", "eе", "oо", "pр", "cс", "xх", "yу", "AА", "BВ",
    "EЕ", "HН", "MМ", "OО", "PР", "CС", "TТ",
];

fn lookalikes(character: char) -> impl Iterator<Item = char> {
    let groups = LOOKALIKES.iter().filter(move |group| group.contains(character));
    groups.flat_map(|group| group.chars()).filter(move |other| *other != character)
}

/// Forgetful causal masking (Liu et al. 2022, <https://arxiv.org/abs/2210.13432>): hides each token but the
/// first from later ones. Each record draws its own probability, uniformly from 0 to `most`.
fn forget(max_share: f64, out: &mut [Reading], rng: &mut ChaCha8Rng) {
    if max_share <= 0.0 {
        return;
    }
    let share = max_share * rng.random::<f64>();
    for reading in out.iter_mut().skip(1) {
        reading.is_forgotten = rng.random_bool(share);
    }
}
