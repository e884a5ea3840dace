//! The order of sorted texts.

/// Sorts `units` by their texts or, if all of them are numbers, by their values.
pub(in super::super) fn sort<T>(units: &mut [Vec<T>], is_falling: bool, character: impl Fn(&T) -> char) {
    let text = |unit: &Vec<T>| unit.iter().map(&character).collect::<Vec<char>>();
    let is_number = |unit: &Vec<T>| {
        !unit.is_empty() && unit.iter().all(|letter| character(letter).is_ascii_digit())
    };
    let all_numbers = units.iter().all(is_number);
    units.sort_by_cached_key(|unit| {
        let text = text(unit);
        let zeros = if all_numbers { text.iter().take_while(|c| **c == '0').count() } else { 0 };
        let length = if all_numbers { text.len() - zeros } else { 0 };
        let digits = text.iter().skip(zeros).copied().collect::<Vec<char>>();
        (length, digits, text)
    });
    if is_falling {
        units.reverse();
    }
}
