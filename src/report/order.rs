//! The one sort of the page.

use std::cmp::Ordering;

/// Stable order of `count` items by `compare`, as indices. The page sorts only with this function: a sort of
/// another type would add a hundredth to its size.
pub fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}
