//! Names that a user brings, one a line.

use std::collections::HashSet;

use crate::config::MAX_NAMES;

/// Longest name, in characters.
pub const MAX_NAME: usize = 32;
/// Characters that stand between the parts of a record, or for a number.
const MARKS: [char; 5] = [':', '=', '?', '{', '}'];

/// The distinct names of a list, in its order. Blank lines, and space around a name, count for nothing. A name that is
/// there twice counts once.
///
/// # Errors
/// A sentence that names the first line that is no name, or says how many names a list may have.
pub fn read(list: &str) -> Result<Vec<&str>, String> {
    let list = list.strip_prefix('\u{feff}').unwrap_or(list);
    let (mut names, mut known) = (Vec::new(), HashSet::new());
    for (line, name) in lines(list) {
        check(name).map_err(|why| format!("line {line} of the names, `{}`, {why}", shown(name)))?;
        if known.insert(name) {
            names.push(name);
        }
    }
    match names.len() {
        0 | 1 => Err(format!("the list has {} different names; give it 2 or more", names.len())),
        count if count > MAX_NAMES => {
            Err(format!("the list has {count} different names; shorten it to {MAX_NAMES} or fewer"))
        }
        _ => Ok(names),
    }
}

/// Lines with something in them, with their numbers. A line ends as on Linux, Windows or an old Mac.
fn lines(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let of_windows = list.split("\r\n").flat_map(|line| line.split(['\n', '\r']));
    (1..).zip(of_windows.map(str::trim)).filter(|(_, name)| !name.is_empty())
}

/// Checks that `name` can stand in a record and be told from what is around it.
fn check(name: &str) -> Result<(), String> {
    let count = name.chars().count();
    if count > MAX_NAME {
        return Err(format!("has {count} characters; shorten it to {MAX_NAME} or fewer"));
    }
    let breaks = |c: &char| c.is_whitespace() || c.is_control() || c.is_numeric() || MARKS.contains(c);
    match name.chars().find(breaks) {
        Some(found) => Err(format!(
            "has {found:?}, which a record could not tell from its other parts; give one name a line, of letters, \
             hyphens and apostrophes"
        )),
        None => Ok(()),
    }
}

/// True if `text` could be a name of a list.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && check(text).is_ok()
}

/// The beginning of a name, for a message.
fn shown(name: &str) -> String {
    name.chars().take(40).flat_map(char::escape_debug).collect()
}
