//! Figures of a codec's run: its chain, its graphs and its progress.

use super::traced::{Traced, figure};
use crate::figure::{Axis, Content, Figure, Grid, Plot, Series, Table, show_token};
use crate::report::{CodecPoint, Mapped};

/// Probabilities of the chain's next state, and the share of time in each.
pub fn chain(traced: &Traced) -> Result<Vec<Figure>, String> {
    let chain = traced.run.codec.chain.as_ref();
    let chain = chain.ok_or("this codec has no chain; train one with Chain (codec.chain)")?;
    let (states, digits) = (chain.states(), traced.run.config.codec.state_digits);
    let names: Vec<String> = (0..states).map(|state| format!("{state:0digits$}")).collect();
    let pairs = (0..states).flat_map(|from| (0..states).map(move |to| (from, to)));
    let values = pairs.map(|(from, to)| chain.probability(Some(from), to) as f32).collect();
    let axis = |name| Axis::new(name, names.clone());
    let grid = Grid::new(axis("noise before"), axis("noise after"), values).within([0.0, 1.0]);
    let rank = chain.rank().iter().enumerate();
    let points = rank.map(|(state, share)| [state as f32, *share as f32]).collect();
    let series = vec![Series { name: "share of time".into(), points, labels: Vec::new() }];
    let plot = Plot { x: "state".into(), y: "share".into(), series };
    let note =
        "Probability of a token's noise by its first digits, after that of the token before.";
    let of_rank =
        "Stationary distribution of the chain, by power iteration with damping as in PageRank.";
    Ok(vec![
        figure("Transitions", note.into(), Content::Grid(grid)),
        figure("Ranks of states", of_rank.into(), Content::Plot(plot)),
    ])
}

/// The graph of the input, and what each of its functions changed.
pub fn graph(traced: &Traced) -> Result<Vec<Figure>, String> {
    let codec = &traced.run.codec;
    let found = codec.graph(&traced.steps);
    let (chosen, ran) =
        found.ok_or("this codec has no graph tokens; train one with Graph tokens (codec.graph)")?;
    let text = |ids: &[u32]| show_token(&traced.run.tokenizer.decode(ids));
    let turns = traced.run.explain_graph(&traced.steps).unwrap_or_default();
    let rows = turns.into_iter().map(|turn| {
        let change = match (&*turn.before, &*turn.after) {
            ("", "") => turn.on.to_owned(),
            (before, after) => {
                format!("{}: {} → {}", turn.on, show_token(before), show_token(after))
            }
        };
        vec![turn.function, turn.arguments.join(" "), change]
    });
    let columns = ["Function", "Of", "Effect"].map(String::from).to_vec();
    let note = format!(
        "Tokens are written first: “{}”. Then the graph, which the noise of the input's end leads to, makes “{}” of them. {} of \
         its tokens are written, macros in one.",
        text(&codec.reached(&traced.steps)),
        text(&ran.output),
        chosen.short.len()
    );
    Ok(vec![figure("Graph tokens", note, Content::Table(Table { columns, rows: rows.collect() }))])
}

pub fn progress(traced: &Traced) -> Result<Vec<Figure>, String> {
    let history = &traced.run.history;
    let line = |name: &str, of: fn(&CodecPoint) -> Option<f64>| Series {
        name: name.into(),
        points: history
            .iter()
            .filter_map(|point| Some([point.records as f32, of(point)? as f32]))
            .collect(),
        labels: Vec::new(),
    };
    let mut right = vec![
        line("training records, to the letter", |point| point.training.share()),
        line("held-out records, to the letter", |point| point.held_out.exact.share()),
        line("held-out accuracy", |point| point.held_out.accuracy()),
    ];
    if traced.run.has_spaces() {
        right.push(line("held-out spaces, F1", |point| point.held_out.spaces.f1()));
    }
    let of_likeliest = |name: &str, of: fn(&Mapped) -> Option<f64>| {
        let share = of(traced.run.likeliest()?)? as f32;
        let ends = [history.first()?, history.last()?];
        let points = ends.map(|point| [point.records as f32, share]).to_vec();
        Some(Series { name: name.into(), points, labels: Vec::new() })
    };
    right.extend(of_likeliest("likeliest outputs, to the letter", |of| of.exact.share()));
    right.extend(of_likeliest("likeliest outputs, accuracy", Mapped::accuracy));
    let plot =
        |y: &str, series| Content::Plot(Plot { x: "records read".into(), y: y.into(), series });
    let draws = vec![line("draws a token", |point| point.draws_per_token())];
    let contexts = vec![line("contexts", |point| Some(point.contexts as f64))];
    Ok(vec![
        figure(
            "What is right",
            "Written from the input alone. Accuracy: 1 less the edits a wanted token. Likeliest outputs: what is right of the \
             held-out records if the likeliest output of each is written, which only their source knows."
                .into(),
            plot("share", right),
        ),
        figure(
            "Draws of noise",
            "Draws until the nearest key is the wanted one, a token of the records that came first.".into(),
            plot("draws", draws),
        ),
        figure("Contexts known", "Entries of the key layer, of all windows.".into(), plot("contexts", contexts)),
        windows(traced),
    ])
}

/// Tokens of held-out records by the window whose noise they took.
fn windows(traced: &Traced) -> Figure {
    let last = traced.run.history.last();
    let counts = last.map_or(Vec::new(), |point| point.held_out.windows.clone());
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let sides = traced.run.codec.windows.sides.iter().map(|sides| sides.to_string());
    let names = sides.chain(["no known context".into()]);
    let rows = names.zip(counts).filter(|(_, count)| *count > 0).map(|(name, count)| {
        vec![name, count.to_string(), format!("{:.1}%", 100.0 * count as f64 / all)]
    });
    let columns = ["Neighbours to each side", "Tokens", "Share"].map(String::from).to_vec();
    figure(
        "Windows used",
        "Tokens of held-out records by the longest window that is known of them, at the last validation.".into(),
        Content::Table(Table { columns, rows: rows.collect() }),
    )
}
