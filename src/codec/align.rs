//! Alignment of two sequences of unequal length (Levenshtein 1966).

/// Levenshtein distance: fewest insertions, deletions and substitutions that turn `a` into `b`.
pub fn levenshtein<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Splits `b` into the parts that the items of `a` become, along a shortest path of edits from `a` to `b`. An inserted
/// item belongs to the part of the item before it, or to the first part if there is none. `a` has one item at least.
pub fn align<'b, T: PartialEq>(a: &[T], b: &'b [T]) -> Vec<&'b [T]> {
    let width = b.len() + 1;
    // Distance from the rest of `a` to the rest of `b`, `[a, b]`.
    let mut rest = vec![0; (a.len() + 1) * width];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            rest[i * width + j] = match (a.get(i), b.get(j)) {
                (Some(x), Some(y)) => {
                    let both = rest[(i + 1) * width + j + 1] + usize::from(x != y);
                    both.min(rest[(i + 1) * width + j] + 1).min(rest[i * width + j + 1] + 1)
                }
                _ => a.len() - i + b.len() - j,
            };
        }
    }
    let mut ends = Vec::with_capacity(a.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() {
        let here = rest[i * width + j];
        let at = |i: usize, j: usize| rest[i * width + j];
        let is_both = j < b.len() && here == at(i + 1, j + 1) + usize::from(a[i] != b[j]);
        if is_both {
            (i, j) = (i + 1, j + 1);
            ends.push(j);
        } else if here == at(i + 1, j) + 1 {
            i += 1;
            ends.push(j);
        } else {
            j += 1;
            if let Some(end) = ends.last_mut() {
                *end = j;
            }
        }
    }
    if let Some(end) = ends.last_mut() {
        *end = b.len();
    }
    let mut start = 0;
    ends.into_iter().map(|end| &b[std::mem::replace(&mut start, end)..end]).collect()
}
