//! Axes of a grid of runs: settings and the values that they take.

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use confab::config::{KNOBS, Knob, Preset, Range, RunConfig, TUNED};
use confab::report::sweep::MAX_RUNS;

use super::options::is_given;
use crate::cli::knobs;

/// A setting that a sweep varies.
#[derive(Clone, Copy, Debug)]
enum Setting {
    Preset,
    Knob(&'static Knob),
}

/// A setting, and its values as they are typed.
#[derive(Clone, Debug)]
pub struct Axis {
    setting: Setting,
    values: Vec<String>,
}

/// A run of a grid, and the value that it has of each axis.
#[derive(Clone, Debug)]
pub struct Planned {
    pub values: Vec<String>,
    pub config: RunConfig,
}

/// Reads `KEY=VALUE,…`, where values that hold commas are parted by semicolons.
pub fn parse(typed: &str) -> Result<Axis, String> {
    let (key, values) = typed
        .split_once('=')
        .ok_or("a setting and its values are expected, as model.d_model=32,64")?;
    let key = key.trim().trim_start_matches("--");
    let by_flag = || KNOBS.iter().find(|knob| knob.flag() == key);
    let setting = match key {
        "preset" => Setting::Preset,
        "seed" => return Err("give --seeds the number of seeds".into()),
        _ => Setting::Knob(Knob::find(key).or_else(by_flag).ok_or_else(|| {
            format!("there is no setting {key}; name a flag, or a key of a link, as model.d_model")
        })?),
    };
    let parted_by = if values.contains(';') { ';' } else { ',' };
    let values: Vec<String> =
        values.split(parted_by).map(|value| value.trim().to_owned()).collect();
    for (place, value) in values.iter().enumerate() {
        check(setting, value)?;
        if values[..place].contains(value) {
            return Err(format!("{key} has the value {value} twice"));
        }
    }
    Ok(Axis { setting, values })
}

fn check(setting: Setting, value: &str) -> Result<(), String> {
    match setting {
        Setting::Preset if value == TUNED || Preset::find(value).is_some() => Ok(()),
        Setting::Preset => Err(format!("there is no preset {value}")),
        Setting::Knob(knob) if matches!(knob.range, Range::Text { .. }) => {
            Err("a text has no values to sweep".into())
        }
        Setting::Knob(knob) => {
            knob.set(&mut RunConfig::default(), value).map_err(|error| error.to_string())
        }
    }
}

impl Axis {
    /// Axes of the command line: those of `--sweep`, and sizes and numbers of facts, if they were given.
    pub fn all(matches: &ArgMatches) -> Result<Vec<Self>> {
        let mut axes: Vec<Self> =
            matches.get_many::<Self>("sweep").into_iter().flatten().cloned().collect();
        if is_given(matches, "facts") {
            let values = matches.get_many::<u64>("facts").into_iter().flatten();
            let knob = Knob::find("task.facts.facts").context("there is no number of facts")?;
            axes.push(Self {
                setting: Setting::Knob(knob),
                values: values.map(u64::to_string).collect(),
            });
        }
        if is_given(matches, "preset") {
            let values = matches.get_many::<String>("preset").into_iter().flatten();
            axes.push(Self { setting: Setting::Preset, values: values.cloned().collect() });
        }
        for (place, axis) in axes.iter().enumerate() {
            let is_same = |other: &Self| other.name() == axis.name();
            ensure!(
                !axes[..place].iter().any(is_same),
                "{} is swept twice; name it once",
                axis.name()
            );
        }
        Ok(axes)
    }

    pub fn name(&self) -> &'static str {
        match self.setting {
            Setting::Preset => "preset",
            Setting::Knob(knob) => knob.key,
        }
    }
}

/// Runs of all combinations of `axes`, the last of which varies first, at the seeds 1 to `seeds`. A preset is set before
/// flags, and all else after.
pub fn plan(matches: &ArgMatches, axes: &[Axis], seeds: u64) -> Result<Vec<Planned>> {
    let count =
        axes.iter().map(|axis| axis.values.len()).product::<usize>().saturating_mul(seeds as usize);
    ensure!(count <= MAX_RUNS, "that would be {count} runs; at most {MAX_RUNS} are swept");
    let mut combinations = vec![Vec::new()];
    for axis in axes {
        let longer = |begun: &Vec<String>| {
            axis.values
                .iter()
                .map(|value| [&begun[..], std::slice::from_ref(value)].concat())
                .collect::<Vec<_>>()
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    let mut runs = Vec::new();
    for values in combinations {
        let with_values = || axes.iter().zip(&values);
        let preset = with_values().find(|(axis, _)| matches!(axis.setting, Setting::Preset));
        let mut config = knobs::config_of(matches, preset.map(|(_, name)| name.as_str()))?;
        for (axis, value) in with_values() {
            if let Setting::Knob(knob) = axis.setting {
                knob.set(&mut config, value)?;
            }
        }
        for seed in 1..=seeds {
            runs.push(Planned {
                values: values.clone(),
                config: RunConfig { seed, ..config.clone() },
            });
        }
    }
    Ok(runs)
}
