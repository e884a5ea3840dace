//! Spaces: a sentence's text, of its letters without spaces.

use super::evidence::Evidence;
use crate::task::mapping::END;

/// The letters of `input`, and what `output`, or the beginning of one, tells of their reading; `None` if no record begins
/// so.
pub fn read(input: &str, output: Option<&str>) -> Option<Evidence> {
    let is_text = input.bytes().all(|byte| byte.is_ascii_lowercase());
    let seen =
        Evidence { letters: input.into(), is_whole: output.is_some(), ..Evidence::default() };
    let Some(output) = output else { return is_text.then_some(seen) };
    let written = output.strip_suffix(END);
    let Evidence { letters, ends, .. } = Evidence::of_text(written.unwrap_or(output))?;
    let is_all = letters.len() == seen.letters.len();
    let fits = seen.letters.starts_with(&letters) && ends.len() < seen.letters.len().max(1);
    (is_text && fits && (is_all || written.is_none())).then_some(Evidence { ends, ..seen })
}
