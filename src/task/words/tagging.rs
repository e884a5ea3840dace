//! Word classes: the letters of a sentence's tags, of its text.

use super::evidence::Evidence;
use crate::task::mapping::END;

/// The words of `input`, and the tags that `output`, or the beginning of one, tells; `None` if no record begins so.
pub fn read(input: &str, output: Option<&str>) -> Option<Evidence> {
    let seen = Evidence::of_text(input)?;
    let Some(output) = output else { return Some(seen) };
    let written = output.strip_suffix(END);
    let tags = written.unwrap_or(output).as_bytes().to_vec();
    let words = 1 + seen.ends.iter().filter(|end| **end).count();
    let fits = seen.ends.len() < seen.letters.len() && tags.len() <= words;
    let is_all = tags.len() == words;
    (fits && (is_all || written.is_none())).then_some(Evidence { tags, is_whole: true, ..seen })
}
