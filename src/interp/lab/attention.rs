//! Attention patterns of a prompt.

use super::analysis::AtOnce;
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid, show_token};
use crate::interp::analysis::attention;
use crate::interp::analysis::attention::Pattern;
use crate::run::Group::Circuits;
use crate::run::Input::{Head, Prompt, SecondPrompt};

pub(super) static PATTERN: AtOnce =
    AtOnce::new("pattern", "Attention pattern", Circuits, &[Prompt, Head], patterns);
pub(super) static VALUE_WEIGHTED: AtOnce = AtOnce::new(
    "value-weighted",
    "Value-weighted attention",
    Circuits,
    &[Prompt, Head],
    value_weighted,
);
pub(super) static DIFFERENCE: AtOnce = AtOnce::new(
    "difference",
    "Attention, two prompts",
    Circuits,
    &[Prompt, SecondPrompt, Head],
    difference,
);

fn pattern(subject: &Subject, pattern: Pattern) -> Grid {
    let queries = Axis { name: "query".into(), ..subject.positions() };
    let keys = Axis { name: "key".into(), picks: None, ..subject.positions() };
    Grid::pattern(queries, keys, pattern.values)
}

/// A head's pattern, and the mean of its layer's.
fn patterns(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let (head, cache) = (subject.head(), subject.record());
    let own = attention::pattern(&subject.view, &cache, head)?;
    let mean = attention::head_average(&subject.view, &cache, head.layer)?;
    let figure = |title, weights| {
        let grid = pattern(subject, weights);
        let (note, grid) = match grid.is_of_shares() {
            true => ("; a row sums to 1.", grid.within([0.0, 1.0])),
            false => (".", grid),
        };
        let more = subject.pattern_note(head.layer);
        Figure {
            title,
            note: format!("What each query (row) reads of the keys up to it{note}{more}"),
            content: Content::Grid(grid),
        }
    };
    Ok(vec![
        figure(format!("Pattern of {head}"), own),
        figure(format!("Mean pattern of layer {}", head.layer), mean),
    ])
}

/// The pattern of a head, weighted by the length of the values that it moves.
fn value_weighted(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let weighted = attention::value_weighted(&subject.view, &subject.record(), subject.head())?;
    Ok(vec![Figure {
        title: format!("{}: attention times the length of what it moves", subject.head()),
        note: format!(
            "pattern[q, k] · ‖v_k W_O‖, in units of the residual stream: what a head looks at but \
             takes nothing from vanishes (Kobayashi et al. 2020).{}",
            subject.pattern_note(subject.head().layer)
        ),
        content: Content::Grid(pattern(subject, weighted)),
    }])
}

/// The difference of a head's patterns in two prompts.
fn difference(subject: &Subject) -> Result<Vec<Figure>, RequestError> {
    let other = subject.model.encode(&subject.request.other)?;
    let other = subject.model.host.record(&other, subject.interventions);
    let difference =
        attention::difference(&subject.view, &subject.record(), &other, subject.head())?;
    Ok(vec![Figure {
        title: format!("{}: attention in the prompt less that in the second", subject.head()),
        note: format!(
            "Orange where it attends more in the prompt, blue where more in the second, “{}”; both \
             prompts are equally long.{}",
            show_token(&subject.request.other),
            subject.pattern_note(subject.head().layer)
        ),
        content: Content::Grid(pattern(subject, difference)),
    }])
}

