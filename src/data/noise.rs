//! Noise on the input in training. Targets stay clean, so a model learns to read past typing errors, and not to
//! rely on every given character.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::config::NoiseConfig;
use crate::base::random::stream_rng;
use crate::tokenizer::Tokenizer;

/// An input character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub character: char,
    /// Place in the clean text of the character to predict next. `None` at the end, and where a swap has already
    /// shown that character.
    pub predicts: Option<usize>,
    /// True if no later character sees it.
    pub is_forgotten: bool,
    /// True if it is noise or follows a dropped character.
    pub is_noise: bool,
}

impl Reading {
    /// The character, or `·` for a forgotten one; line breaks stay.
    pub fn shown(&self) -> char {
        if self.is_forgotten && self.character != '\n' { '·' } else { self.character }
    }
}

/// Generator of the noise on micro-batch `stream`. Records have a separate generator, so they are the same with
/// noise and without.
pub fn noise_rng(seed: u64, stream: u64) -> ChaCha8Rng {
    stream_rng(seed ^ 0x4E01_5E00, stream)
}

/// Reads `text` through noise. The first character stays, and noise writes only characters of `tokenizer`. Each
/// character suffers at most one kind of noise: the first in the order of [`NoiseConfig`] that strikes it and can
/// be written.
pub fn read(
    noise: &NoiseConfig,
    text: &str,
    tokenizer: &Tokenizer,
    rng: &mut ChaCha8Rng,
) -> Vec<Reading> {
    let clean: Vec<char> = text.chars().collect();
    let next = |place: usize| Some(place + 1).filter(|next| *next < clean.len());
    let mut out: Vec<Reading> = Vec::with_capacity(clean.len() + 8);
    let mut place = 0;
    let mut follows_gap = false;
    while place < clean.len() {
        let change = if place == 0 { None } else { strike(noise, &clean, place, tokenizer, rng) };
        let mut push = |character, predicts, is_noise| {
            let is_noise = is_noise || std::mem::take(&mut follows_gap);
            out.push(Reading { character, predicts, is_forgotten: false, is_noise });
        };
        match change {
            None => push(clean[place], next(place), false),
            Some(Change::Swap) => {
                push(clean[place + 1], None, true);
                push(clean[place], next(place + 1), true);
                place += 1;
            }
            Some(Change::Drop) => follows_gap = true,
            Some(Change::Replace(character)) => push(character, next(place), true),
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
    /// Swap with the next character.
    Swap,
    Drop,
    Replace(char),
    /// Insert an extra character before this one, or after it.
    Before(char),
    After(char),
}

/// Noise on the character at `place`; `None` if none strikes it.
fn strike(
    noise: &NoiseConfig,
    clean: &[char],
    place: usize,
    tokenizer: &Tokenizer,
    rng: &mut ChaCha8Rng,
) -> Option<Change> {
    let character = clean[place];
    let strikes = |share: f64, rng: &mut ChaCha8Rng| share > 0.0 && rng.random_bool(share);
    let any = |of: &mut dyn Iterator<Item = char>, rng: &mut ChaCha8Rng| {
        let of: Vec<char> = of.filter(|other| tokenizer.knows(*other)).collect();
        (!of.is_empty()).then(|| of[rng.random_range(0..of.len() as u32) as usize])
    };
    let swaps = clean.get(place + 1).is_some_and(|next| *next != character);
    if strikes(noise.swap, rng) && swaps {
        return Some(Change::Swap);
    }
    if strikes(noise.drop, rng) {
        return Some(Change::Drop);
    }
    if strikes(noise.insert, rng) {
        return any(&mut tokenizer.characters(), rng).map(Change::After);
    }
    if strikes(noise.double, rng) {
        return Some(Change::After(character));
    }
    if strikes(noise.neighbour, rng)
        && let Some(neighbour) = any(&mut neighbours(character), rng)
    {
        return Some(Change::Replace(neighbour));
    }
    if strikes(noise.homoglyph, rng)
        && let Some(lookalike) = any(&mut lookalikes(character), rng)
    {
        return Some(Change::Replace(lookalike));
    }
    if strikes(noise.space, rng) {
        return match character.is_whitespace() {
            true if rng.random_bool(0.5) => Some(Change::Drop),
            true => Some(Change::After(character)),
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

/// Forgetful causal masking (Liu et al. 2022, <https://arxiv.org/abs/2210.13432>): hides each character but the
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
