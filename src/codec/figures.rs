//! Figures of a codec: what it writes, from where, and how keys are compared.

use super::align::align;
use super::distance::distance;
use super::explain::{Explained, Source};
use super::learner::Step;
use super::number::{PLACES, digit, fraction, minus};
use super::run::CodecRun;
use crate::figure::{Axis, Content, Figure, Grid, Plot, Series, Table, show_token};
use crate::run::{AnalysisEntry, AnalysisRequest, Group, Input};

type Draw = fn(&Traced) -> Result<Vec<Figure>, String>;

const PROMPTED: &[Input] = &[Input::Prompt, Input::Position];

/// All analyses of a codec, in the order of display.
static ANALYSES: [(AnalysisEntry, Draw); 7] = [
    (entry("codec-written", "What is written, and where it comes from", PROMPTED), written),
    (entry("codec-mistake", "A mistake, and where it comes from", &[]), mistake),
    (entry("codec-keys", "Keys and noise", PROMPTED), keys),
    (entry("codec-digits", "Digits compared", PROMPTED), digits),
    (entry("codec-chain", "Chain of noises", &[]), chain),
    (entry("codec-graph", "Graph tokens", &[Input::Prompt]), graph),
    (entry("codec-progress", "Progress", &[]), progress),
];

const fn entry(id: &'static str, label: &'static str, inputs: &'static [Input]) -> AnalysisEntry {
    AnalysisEntry::new(id, label, Group::Codec, inputs)
}

/// Descriptions of all analyses, in the order of display.
pub fn entries() -> impl Iterator<Item = &'static AnalysisEntry> {
    ANALYSES.iter().map(|(entry, _)| entry)
}

/// An input that was mapped, and the token of it that is looked at.
struct Traced<'a> {
    run: &'a CodecRun,
    steps: Vec<Step<'a>>,
    at: usize,
}

/// The figures of an analysis.
///
/// # Errors
/// A sentence, if there is no such analysis of a codec, or the prompt has a character that it does not know.
pub fn analyse(run: &CodecRun, request: &AnalysisRequest) -> Result<Vec<Figure>, String> {
    let known = ANALYSES.iter().find(|(entry, _)| entry.id == request.analysis);
    let Some((_, draw)) = known else {
        let names: Vec<&str> = entries().map(|entry| &*entry.id).collect();
        return Err(format!(
            "`{}` is of transformers, and this is a noise codec; choose one of {}",
            request.analysis.chars().take(60).collect::<String>(),
            names.join(", ")
        ));
    };
    let prompt = match &*request.prompt {
        "" => &run.example_input(),
        prompt => prompt,
    };
    let steps = run.trace(prompt).map_err(|error| error.to_string())?;
    // Without a choice, the first token that becomes another.
    let changed = steps.iter().position(|step| run.codec.output(&step.reached) != [step.token]);
    let at = request.position.or(changed).unwrap_or(0).min(steps.len() - 1);
    draw(&Traced { run, steps, at })
}

impl Traced<'_> {
    fn name(&self, token: u32) -> String {
        self.run.tokenizer.token(token).map_or("end".into(), show_token)
    }
}

fn figure(title: &str, note: String, content: Content) -> Figure {
    Figure { title: title.into(), note, content }
}

fn written(traced: &Traced) -> Result<Vec<Figure>, String> {
    let text = traced.run.tokenizer.decode(&traced.run.codec.written(&traced.steps));
    let columns = [
        "",
        "Token",
        "Becomes",
        "Neighbours",
        "Distance",
        "Met",
        "Wanted",
        "Borrowed from",
        "There",
    ];
    let rows = traced.steps.iter().enumerate().map(|(at, step)| {
        let Explained { token, output, context, .. } = traced.run.explain(step);
        let quoted = |text: &str| format!("“{}”", show_token(text));
        let token = if token.is_empty() { "end".into() } else { quoted(&token) };
        let mut row = vec![at.to_string(), token, quoted(&output)];
        row.extend(match context {
            Some(source) => of_source(&source),
            None => std::iter::once("no known context".into())
                .chain((0..5).map(|_| String::new()))
                .collect(),
        });
        row
    });
    let table = Table { columns: columns.map(String::from).to_vec(), rows: rows.collect() };
    let note = format!(
        "It writes “{}”. Each token takes the noise of the longest window that is known: as many neighbours to each side. \
         Borrowed from: the training record in which this context was first met, the token in brackets.",
        show_token(&text)
    );
    Ok(vec![figure("What is written", note, Content::Table(table))])
}

/// The first held-out record that is written wrong, and the contexts that the wrong tokens borrowed from.
fn mistake(traced: &Traced) -> Result<Vec<Figure>, String> {
    let run = traced.run;
    let text = |ids: &[u32]| show_token(&run.tokenizer.decode(ids));
    let wrong = (0..SEARCHED).find_map(|number| {
        let example = run.examples().held_out(number)?;
        let steps = run.codec.trace(&example.input);
        (run.codec.written(&steps) != example.output).then_some((number, example, steps))
    });
    let found =
        wrong.ok_or_else(|| format!("no mistake is in the first {SEARCHED} held-out records"))?;
    let (number, example, steps) = found;
    let read: Vec<u32> = steps.iter().map(|step| step.token).collect();
    let wanted = align(&read, &example.output);
    let rows = steps
        .iter()
        .zip(wanted)
        .filter(|(step, wanted)| run.codec.output(&step.reached) != *wanted);
    let rows = rows.map(|(step, wanted)| {
        let becomes = text(run.codec.output(&step.reached));
        let mut row = vec![traced.name(step.token), text(wanted), becomes];
        row.extend(run.explain(step).context.map_or(Vec::new(), |source| of_source(&source)));
        row.resize(MISTAKE.len(), String::new());
        row
    });
    let table = Table { columns: MISTAKE.map(String::from).to_vec(), rows: rows.collect() };
    let note = format!(
        "Held-out record {number}: “{}” should be “{}”, and “{}” is written. Each wrong token took the noise of a context that \
         it shares with a training record, where it was right.",
        text(&example.input),
        text(&example.output),
        text(&run.codec.written(&steps)),
    );
    Ok(vec![figure("A mistake", note, Content::Table(table))])
}

/// Held-out records that are searched for a mistake.
const SEARCHED: usize = 500;
const MISTAKE: [&str; 9] = [
    "Token",
    "Should become",
    "Becomes",
    "Neighbours",
    "Distance",
    "Met",
    "Wanted",
    "Borrowed from",
    "There",
];

fn of_source(source: &Source) -> Vec<String> {
    let Source { sides, distance, record, place, input, output, became, met, wanted } = source;
    let place = *place as usize;
    let marked: String = input
        .chars()
        .enumerate()
        .map(|(at, character)| match at == place {
            true => format!("[{character}]"),
            false => character.to_string(),
        })
        .collect();
    let end = if place >= input.chars().count() { "[end]" } else { "" };
    vec![
        sides.map_or("past noises".into(), |sides| sides.to_string()),
        format!("{distance:.3}"),
        met.to_string(),
        wanted.to_string(),
        format!("#{record}: {}{end} → {}", show_token(&marked), show_token(output)),
        format!("“{}”", show_token(became)),
    ]
}

fn keys(traced: &Traced) -> Result<Vec<Figure>, String> {
    let (run, step) = (traced.run, &traced.steps[traced.at]);
    let keys = &run.codec.keys;
    let point = |key: &[u32]| {
        let number = |of: usize| key.get(of).map_or(0.0, |number| fraction(*number) as f32);
        [number(0), number(1)]
    };
    let tokens = 0..keys.len() as u32;
    let mut series = vec![Series {
        name: "keys".into(),
        points: tokens.clone().map(|token| point(keys.of(token))).collect(),
        labels: tokens.map(|token| traced.name(token)).collect(),
    }];
    let noises = step.noises.chunks_exact(keys.width()).zip(&step.reached);
    for (noise, reached) in noises {
        let name = format!("{} − noise → {}", traced.name(step.token), traced.name(*reached));
        let embedding = keys.encode(step.token, noise);
        let points = vec![point(keys.of(step.token)), point(&embedding)];
        series.push(Series { name, points, labels: Vec::new() });
    }
    let y = if keys.width() == 1 { "" } else { "second number" };
    let note = "Each token's key; a line leads from the key of the chosen token to what is left of it when the noise is \
                subtracted, modulo 1. The nearest key by the digit distance is written."
        .into();
    let plot = Plot { x: "first number".into(), y: y.into(), series };
    Ok(vec![figure("Keys and noise", note, Content::Plot(plot))])
}

/// Nearest keys that are compared.
const COMPARED: usize = 5;

fn digits(traced: &Traced) -> Result<Vec<Figure>, String> {
    let step = &traced.steps[traced.at];
    let keys = &traced.run.codec.keys;
    let width = keys.width();
    let token = traced.name(step.token);
    let one = |(index, noise): (usize, &[u32])| {
        let key = keys.of(step.token);
        let embedding: Vec<u32> =
            key.iter().zip(noise).map(|(key, noise)| minus(*key, *noise)).collect();
        let mut nearest: Vec<u32> = (0..keys.len() as u32).collect();
        nearest.sort_by_key(|token| keys.metric.of_keys(&embedding, keys.of(*token)));
        nearest.truncate(COMPARED);
        let mut names = vec![format!("key of {token}"), "noise".into(), "what is left".into()];
        let (mut values, mut texts) = (vec![f32::NAN; 3 * width * PLACES], Vec::new());
        for row in [key, noise, &embedding] {
            texts.extend(all_digits(row));
        }
        for near in nearest {
            let other = keys.of(near);
            let total = distance(keys.metric.of_keys(&embedding, other));
            names.push(format!("{} at {total:.3}", traced.name(near)));
            texts.extend(all_digits(other));
            for (a, b) in embedding.iter().zip(other) {
                values.extend((0..PLACES).map(|place| keys.metric.at_place(*a, *b, place) as f32));
            }
        }
        let places = (0..width).flat_map(|number| (1..=PLACES).map(move |place| (number, place)));
        let places = places.map(|(number, place)| match width {
            1 => place.to_string(),
            _ => format!("{}.{place}", number + 1),
        });
        let rows = Axis::new("", names);
        let grid = Grid::new(rows, Axis::new("decimal place", places.collect()), values);
        let title = format!("Noise {} of {token}", index + 1);
        let note = "Digits of the key, the noise and their difference, and of the nearest keys. Shade: what a place adds to \
                    the distance. Places to the right weigh less."
            .to_owned();
        figure(&title, note, Content::Grid(Grid { texts, ..grid }))
    };
    Ok(step.noises.chunks_exact(width).enumerate().map(one).collect())
}

fn all_digits(key: &[u32]) -> impl Iterator<Item = String> {
    let digits = key.iter().flat_map(|number| (0..PLACES).map(|place| digit(*number, place)));
    digits.map(|digit| digit.to_string())
}

/// Probabilities of the chain's next state, and the share of time in each.
fn chain(traced: &Traced) -> Result<Vec<Figure>, String> {
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
fn graph(traced: &Traced) -> Result<Vec<Figure>, String> {
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

fn progress(traced: &Traced) -> Result<Vec<Figure>, String> {
    let history = &traced.run.history;
    let line = |name: &str, of: fn(&crate::report::CodecPoint) -> Option<f64>| Series {
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
    let plot =
        |y: &str, series| Content::Plot(Plot { x: "records read".into(), y: y.into(), series });
    let draws = vec![line("draws a token", |point| point.draws_per_token())];
    let contexts = vec![line("contexts", |point| Some(point.contexts as f64))];
    Ok(vec![
        figure(
            "What is right",
            "Written from the input alone. Accuracy: 1 less the edits a wanted token.".into(),
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
