//! Analyses of every kind of model: each answers, or says why it does not.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use confab::config::{BlockKind, ByLayer, MlpKind, NormKind, RunConfig};
use confab::figure::{Content, Figure, Grid};
use confab::interp::lab::{AnalysisJob, Snapshot, entries};
use confab::run::{
    Action, ActivationIntervention, AnalysisEntry, AnalysisRequest, Intervention, Site,
};
use confab::session::catalogue;
use futures::executor::block_on;

use common::{losses, trainer};

const PROMPT: &str = "{B}\nAda Lee: 212-345-6789 \n";
const OTHER: &str = "{B}\nMia Fox: 998-765-4321 \n";

fn model(change: impl FnOnce(&mut RunConfig)) -> Arc<Snapshot> {
    let mut config = RunConfig::default();
    config.task.phone.lines = 1;
    config.model.context = 96;
    config.model.d_model = 8;
    change(&mut config);
    let mut trainer = trainer(config);
    losses(&mut trainer, 3);
    Arc::new(block_on(Snapshot::read(&trainer)).unwrap())
}

fn ask(what: &str) -> AnalysisRequest {
    AnalysisRequest {
        analysis: what.into(),
        prompt: PROMPT.into(),
        other: OTHER.into(),
        ..AnalysisRequest::default()
    }
}

fn see(model: &Arc<Snapshot>, request: AnalysisRequest) -> Result<Vec<Figure>, String> {
    let mut job = AnalysisJob::new(model.clone(), request).map_err(|error| error.to_string())?;
    while job.advance().map_err(|error| error.to_string())? {}
    job.figures().map_err(|error| error.to_string())
}

fn grid(figure: &Figure) -> &Grid {
    match &figure.content {
        Content::Grid(grid) => grid,
        other => panic!("{} is no grid: {other:?}", figure.title),
    }
}

/// A grid has a value, or nothing, for every row and column, and a text for all or none.
fn check_shape(figure: &Figure) {
    match &figure.content {
        Content::Grid(grid) => {
            let cells = grid.rows.len() * grid.columns.len();
            assert_eq!(grid.values.len(), cells, "{}", figure.title);
            assert!([0, cells].contains(&grid.texts.len()), "{}", figure.title);
            assert!(grid.values.iter().any(|value| value.is_finite()), "{}", figure.title);
        }
        Content::Table(table) => {
            assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        }
        Content::Plot(plot) => {
            for series in &plot.series {
                assert!(!series.points.is_empty(), "{}", figure.title);
                assert!([0, series.points.len()].contains(&series.labels.len()));
            }
        }
    }
    assert!(!figure.title.is_empty());
}

#[test]
fn every_analysis_of_the_catalogue_has_an_id_and_a_label_of_its_own() {
    let catalogue = catalogue();
    let unique = |of: fn(&AnalysisEntry) -> &str| {
        catalogue.analyses.iter().map(of).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(unique(|entry| &entry.id), catalogue.analyses.len());
    assert_eq!(unique(|entry| &entry.label), catalogue.analyses.len());
    let error = see(&model(|_| {}), ask("lenses")).unwrap_err();
    assert!(
        error.contains("no analysis `lenses`") && error.contains("lens, attribution"),
        "{error}"
    );
}

#[test]
fn every_analysis_answers_of_every_kind_of_model() {
    type Setting = fn(&mut RunConfig);
    let kinds: [(&str, Setting); 8] = [
        ("the default", |_| {}),
        ("with biases and a head of its own", |config| {
            config.model.bias = true;
            config.model.tied_head = false;
        }),
        ("attention only, without norms", |config| {
            config.model.mlp = MlpKind::None;
            config.model.norm = NormKind::None;
        }),
        ("grouped heads and RMSNorm", |config| {
            config.model.kv_heads = 1;
            config.model.norm = NormKind::Rms;
            config.model.mlp = MlpKind::Swiglu;
        }),
        ("memory tokens", |config| {
            (config.model.memory_tokens, config.model.context) = (4, 100);
        }),
        ("the delta rule beside a window", |config| {
            config.model.mixer = ByLayer::parse("0:window,1:delta").unwrap();
            config.model.block = BlockKind::Parallel;
        }),
        ("mesa", |config| config.model.mixer = ByLayer::parse("mesa").unwrap()),
        ("a convolution before linear attention", |config| {
            config.model.mixer = ByLayer::parse("0:conv,1:linear").unwrap();
        }),
    ];
    for (name, change) in kinds {
        let model = model(change);
        let is_linear = name.starts_with("attention only");
        let has_gates = ["the delta rule beside a window", "mesa"].contains(&name);
        let is_without_keys = name.starts_with("a convolution");
        for entry in entries() {
            let seen = see(&model, ask(&entry.id));
            let is_refused = match &*entry.id {
                "paths" => !is_linear,
                "gates" => !has_gates,
                "patch-mlps" => is_linear,
                "qk" => is_without_keys, // of layer 0
                "recalled" | "slots" | "memory-map" | "adapters" => true, // none has a memory or an adapter
                _ => false,
            };
            match seen {
                Ok(figures) => {
                    assert!(!is_refused, "{name}: {}", entry.id);
                    assert!(!figures.is_empty());
                    figures.iter().for_each(check_shape);
                }
                Err(reason) => assert!(is_refused, "{name}: {}: {reason}", entry.id),
            }
        }
    }
}

/// β and γ are a sigmoid of what the layer reads: 0 to 1, of every head at every token, in the layers that have them.
#[test]
fn gates_are_those_by_which_tokens_change_a_state() {
    let model = model(|config| config.model.mixer = ByLayer::parse("0:delta,1:mesa").unwrap());
    let figures = see(&model, ask("gates")).unwrap();
    assert_eq!(figures.len(), 2);
    for (figure, name) in figures.iter().zip(["Layer 0: β", "Layer 1: γ"]) {
        assert!(figure.title.starts_with(name), "{}", figure.title);
        let grid = grid(figure);
        assert_eq!((grid.rows.len(), grid.columns.len()), (2, PROMPT.len()));
        assert!(grid.values.iter().all(|gate| *gate > 0.0 && *gate < 1.0));
    }
    // An untrained β is near a half, and mesa begins by keeping 98% of what it knows.
    let mean = |at: usize| {
        let values = &grid(&figures[at]).values;
        values.iter().sum::<f32>() / values.len() as f32
    };
    assert!(
        (mean(0) - 0.5).abs() < 0.1 && (mean(1) - 0.98).abs() < 0.01,
        "{} {}",
        mean(0),
        mean(1)
    );
}

#[test]
fn the_lens_ends_in_what_the_model_predicts() {
    let model = model(|_| {});
    let figures = see(&model, ask("lens")).unwrap();
    let (likeliest, next) = (grid(&figures[0]), grid(&figures[1]));
    assert_eq!(likeliest.columns.len(), PROMPT.len());
    // Two layers, each before, between and the output on top.
    assert_eq!(likeliest.rows.labels.first().map(String::as_str), Some("output"));
    assert_eq!(likeliest.rows.len(), 5);
    // Where the likeliest character is the one that follows, it has rank 1 and the same probability.
    for place in 0..likeliest.values.len() {
        if next.texts[place] == "1" {
            assert!((likeliest.values[place] - next.values[place]).abs() < 1e-6);
        }
    }
    // The last place has no next character.
    assert!(next.value(0, PROMPT.len() - 1).unwrap().is_nan());
}

#[test]
fn a_patch_of_everything_before_the_first_layer_brings_all_back_at_its_place() {
    let model = model(|_| {});
    let mut request = ask("patch-resid");
    request.target = Some("1".into());
    request.contrast = Some("2".into());
    let figures = see(&model, request).unwrap();
    let grid = grid(&figures[0]);
    // Only the names and numbers differ; the last place reads them by attention alone.
    let same = PROMPT.chars().zip(OTHER.chars()).position(|(a, b)| a == b).unwrap();
    assert_eq!(grid.value(0, same), Some(0.0), "what is the same in both changes nothing");
    assert!(grid.values.iter().all(|value| value.is_finite()));
}

#[test]
fn changes_are_told_beside_what_they_changed() {
    let model = model(|_| {});
    let table = |edits: Vec<ActivationIntervention>| {
        let changes = edits.into_iter().map(Intervention::Activation).collect();
        let figures =
            see(&model, AnalysisRequest { interventions: changes, ..ask("edited") }).unwrap();
        match figures.into_iter().next().unwrap().content {
            Content::Table(table) => table,
            other => panic!("{other:?}"),
        }
    };
    assert!(table(Vec::new()).rows.iter().all(|row| row[1] == row[2]));
    let site = Site::Head { layer: 1, head: 0 };
    let edits = vec![ActivationIntervention {
        site,
        positions: 0..usize::MAX,
        action: Action::Scale(-40.0),
    }];
    assert!(table(edits.clone()).rows.iter().any(|row| row[1] != row[2]));
    // What has no effect any more is not lost a second time.
    let without = ActivationIntervention { action: Action::Scale(0.0), ..edits[0].clone() };
    let without = vec![Intervention::Activation(without)];
    let figures =
        see(&model, AnalysisRequest { interventions: without, ..ask("knockouts") }).unwrap();
    assert_eq!(grid(&figures[0]).value(1, 0), Some(0.0));
}

#[test]
fn a_second_prompt_that_nobody_typed_is_the_prompt_with_one_token_changed() {
    let model = model(|_| {});
    for what in ["patch-heads", "patch-resid", "difference"] {
        let request = AnalysisRequest { other: String::new(), ..ask(what) };
        let job = AnalysisJob::new(model.clone(), request).unwrap();
        let other = &job.request().other;
        let changed: Vec<_> = PROMPT.chars().zip(other.chars()).filter(|(a, b)| a != b).collect();
        assert_eq!((changed.len(), other.len()), (1, PROMPT.len()), "{what}: {other}");
        assert!(changed.iter().all(|(a, b)| a.is_numeric() == b.is_numeric()), "{changed:?}");
        let result = job.progress(false);
        assert!(result.figures.is_ok() && result.other == *other, "{what}");
    }
}

#[test]
fn what_a_model_lacks_is_refused_with_what_there_is() {
    let model = model(|_| {});
    let refused = |change: fn(&mut AnalysisRequest), what| {
        let mut request = ask(what);
        change(&mut request);
        see(&model, request).unwrap_err()
    };
    let empty = refused(|request| request.prompt.clear(), "lens");
    assert!(empty.contains("type at least one character"), "{empty}");
    let long = refused(|request| request.prompt = "1".repeat(97), "lens");
    assert!(long.contains("97 characters, and 96"), "{long}");
    let unknown = refused(|request| request.prompt = "é".into(), "lens");
    assert!(unknown.contains('é'), "{unknown}");
    let place = refused(|request| request.position = Some(99), "output");
    assert!(place.contains("no position 99"), "{place}");
    let head = refused(|request| request.head = 9, "ov");
    assert!(head.contains("L0H9"), "{head}");
    let component = refused(|request| request.component = 8, "component");
    assert!(component.contains("no component 8"), "{component}");
    let character = refused(|request| request.target = Some("é".into()), "attribution");
    assert!(character.contains("“é”"), "{character}");
    let parameter = refused(|request| request.parameter = "W".into(), "weights");
    assert!(
        parameter.contains("no parameter `W`") && parameter.contains("embed.W_E"),
        "{parameter}"
    );
    let form =
        refused(|request| (request.prompt, request.other) = ("{".into(), "".into()), "difference");
    assert!(form.contains("no second prompt could be proposed"), "{form}");
    let lengths = refused(|request| request.other = "{B}".into(), "patch-heads");
    assert!(lengths.contains("equally many tokens"), "{lengths}");
    let same = refused(|request| request.other = request.prompt.clone(), "patch-heads");
    assert!(same.contains("same logit difference"), "{same}");
}

/// The numbers of the first grid.
fn numbers(figures: &[Figure]) -> Vec<f32> {
    let grid = figures.iter().find_map(|figure| match &figure.content {
        Content::Grid(grid) => Some(grid.values.clone()),
        _ => None,
    });
    grid.expect("there is a grid")
}

#[test]
fn what_one_model_shows_beyond_another_is_the_difference() {
    let (one, other) = (model(|_| {}), model(|config| config.seed = 7));
    for what in ["ov", "lens", "value-weighted", "heads", "weights"] {
        let request = ask(what);
        let [a, b] = [&one, &other].map(|model| numbers(&see(model, request.clone()).unwrap()));
        let mut job = AnalysisJob::with_baseline(
            one.clone(),
            Some(("the other".into(), other.clone())),
            request,
        )
        .unwrap();
        while job.advance().unwrap() {}
        let figures = job.figures().unwrap();
        assert!(figures[0].title.ends_with("the other"), "{}", figures[0].title);
        for (found, (a, b)) in numbers(&figures).iter().zip(a.iter().zip(&b)) {
            assert!(found.is_nan() && a.is_nan() || (found - (a - b)).abs() < 1e-6, "{what:?}");
        }
    }
    let smaller = model(|config| config.model.d_model = 4);
    let baseline = Some(("a smaller one".to_owned(), smaller));
    let error =
        AnalysisJob::with_baseline(one, baseline, ask("weights")).unwrap().figures().unwrap_err();
    assert!(error.to_string().contains("compared with a smaller one"), "{error}");
}

#[test]
fn a_weight_that_is_set_changes_what_is_computed_and_no_other() {
    let model = model(|_| {});
    let set = |name: &str, value| vec![Intervention::parse(name, value).unwrap()];
    let request = AnalysisRequest { parameter: "blocks.1.attn.W_Q".into(), ..ask("weights") };
    let before = numbers(&see(&model, request.clone()).unwrap());
    let changes = set("blocks.1.attn.W_Q[2,5]", 0.5);
    assert_eq!(changes[0].to_string(), "blocks.1.attn.W_Q[2,5] = 0.5");
    let after = numbers(
        &see(&model, AnalysisRequest { interventions: changes.clone(), ..request }).unwrap(),
    );
    let changed: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(changed, [2 * 8 + 5]);
    assert_eq!(after[2 * 8 + 5], 0.5);
    let qk = |changes| {
        numbers(
            &see(
                &model,
                AnalysisRequest { interventions: changes, layer: 1, head: 1, ..ask("qk") },
            )
            .unwrap(),
        )
    };
    assert_ne!(qk(changes), qk(Vec::new()), "the circuit of the head that reads it");
    for (name, says) in [("blocks.1.attn.W_Q[8,0]", "8 × 8"), ("W[0,0]", "no parameter")] {
        let error = see(&model, AnalysisRequest { interventions: set(name, 1.0), ..ask("lens") })
            .unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    for name in ["W_Q", "W_Q[", "W_Q[]", "W_Q[1,]", "[-1,0]"] {
        assert_eq!(Intervention::parse(name, 1.0), None, "{name}");
    }
}

#[test]
fn sparsity_is_that_of_the_vectors_unembedded() {
    let model = model(|_| {});
    let figures = see(&model, ask("sparsity")).unwrap();
    let (Content::Table(table), Content::Plot(plot)) = (&figures[0].content, &figures[1].content)
    else {
        panic!("{figures:?}");
    };
    let value = |row: usize| table.rows[row][1].trim_end_matches('%').parse::<f32>().unwrap();
    let by_rank = &plot.series[0].points;
    assert!(by_rank.windows(2).all(|pair| pair[0][1] >= pair[1][1]), "the largest first");
    let mean = by_rank.iter().map(|point| point[1]).sum::<f32>() / by_rank.len() as f32;
    assert!((mean - value(0)).abs() < 0.01, "{mean} and {}", value(0));
    assert!((0.0..=1.0).contains(&value(1)));
    assert!((1.0..=8.0).contains(&value(3)), "of 8 components");
}

#[test]
fn what_follows_is_told_with_its_cost_and_what_else_it_might_have_been() {
    let figures = see(&model(|_| {}), ask("next")).unwrap();
    let Content::Table(table) = &figures[0].content else { panic!("{figures:?}") };
    let characters: Vec<char> = PROMPT.chars().collect();
    assert_eq!(table.rows.len(), characters.len());
    for (place, row) in table.rows.iter().enumerate() {
        let [after, follows, cost, entropy, likeliest] = &row[..] else { panic!("{row:?}") };
        assert!(after.starts_with(&place.to_string()), "{row:?}");
        assert_eq!(follows.is_empty(), place + 1 == characters.len(), "{row:?}");
        let shares: Vec<f64> = likeliest
            .split('%')
            .filter_map(|part| part.rsplit(' ').next()?.parse::<f64>().ok())
            .collect();
        assert_eq!(shares.len(), 5, "{row:?}");
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]), "{row:?}");
        assert!(entropy.parse::<f64>().unwrap() > 0.0);
        let is_it = |one: &&str| !follows.is_empty() && one.starts_with(&format!("{follows} "));
        if let Some(found) = likeliest.split("  ").find(is_it) {
            let share: f64 = found.split(['%', ' ']).nth(1).unwrap().parse().unwrap();
            let from_share = -(share / 100.0).ln();
            assert!((from_share - cost.parse::<f64>().unwrap()).abs() < 0.05, "{row:?}");
        }
    }
}

#[test]
fn parts_are_read_as_they_are_written() {
    let edit =
        |site, positions| ActivationIntervention { site, positions, action: Action::Scale(0.5) };
    let cases = [
        ("L0H3", edit(Site::Head { layer: 0, head: 3 }, 0..usize::MAX)),
        ("L12MLP", edit(Site::Mlp { layer: 12 }, 0..usize::MAX)),
        ("L2@5", edit(Site::Resid { layer: 2 }, 5..6)),
        ("L0H3@4-7", edit(Site::Head { layer: 0, head: 3 }, 4..8)),
    ];
    for (text, edit) in cases {
        assert_eq!(ActivationIntervention::parse(text, 0.5).as_ref(), Some(&edit));
        assert_eq!(edit.to_string(), format!("{text} × 0.5"));
    }
    for text in ["", "L", "H1", "L0H", "LMLP", "L0@", "L0@5-", "L0@-1", "L0@18446744073709551615"] {
        assert_eq!(ActivationIntervention::parse(text, 0.0), None, "{text}");
    }
}

#[test]
fn pictures_are_well_formed_and_escape_what_is_in_them() {
    let model = model(|_| {});
    for what in ["lens", "output", "directions", "composition"] {
        for figure in see(&model, ask(what)).unwrap() {
            let Ok(svg) = figure.to_svg(false) else {
                assert!(matches!(figure.content, Content::Table(_)));
                continue;
            };
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            let is_tag = |tag: &&str| {
                ["svg", "/svg", "rect", "text", "/text", "poly", "circ"]
                    .iter()
                    .any(|name| tag.starts_with(name))
            };
            assert!(svg.split('<').skip(1).all(|tag| is_tag(&tag)), "{}", figure.title);
        }
    }
}
