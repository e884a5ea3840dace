//! Interventions that fit a model, and those that do not.

use super::error::RequestError;
use crate::arch::{Layout, Mixer, Parameter};
use crate::config::ModelConfig;
use crate::run::{Intervention, Site, WeightIntervention};

/// Checks that a model has the parts and weights that interventions are on, and computes by them.
///
/// # Errors
/// Which one is on a part that the model lacks, and what it has; or on the pattern of a layer that computes nothing by it.
pub fn check_fit(
    config: &ModelConfig,
    layout: &Layout,
    interventions: &[Intervention],
) -> Result<(), RequestError> {
    let (layers, heads) = (config.n_layers, config.n_heads);
    for intervention in interventions {
        match intervention {
            Intervention::Weight(of) => cell(layout, of).map(drop)?,
            Intervention::Activation(of) if !has(config, of.site) => {
                return Err(RequestError::NoPart { part: of.clone(), layers, heads });
            }
            Intervention::Activation(of) => match of.site {
                Site::Pattern { layer, .. } if !Mixer::of(config, layer).has_keys() => {
                    return Err(RequestError::NoPattern { part: of.clone(), layer });
                }
                Site::Pattern { .. }
                | Site::Resid { .. }
                | Site::Head { .. }
                | Site::Mlp { .. } => {}
            },
        }
    }
    Ok(())
}

fn has(config: &ModelConfig, site: Site) -> bool {
    match site {
        Site::Resid { layer } | Site::Mlp { layer } => layer < config.n_layers,
        Site::Head { layer, head } | Site::Pattern { layer, head } => {
            layer < config.n_layers && head < config.n_heads
        }
    }
}

/// A parameter, its rows and its columns; a vector is a column.
pub(super) fn parameter<'a>(
    layout: &'a Layout,
    name: &str,
) -> Result<(&'a Parameter, [usize; 2]), RequestError> {
    let parameter = layout.find(name).ok_or_else(|| {
        let names = layout.parameters().iter().map(|parameter| parameter.name());
        RequestError::NoParameter {
            asked: name.chars().take(60).collect(),
            has: names.collect::<Vec<_>>().join(", "),
        }
    })?;
    let rows = parameter.shape()[0];
    Ok((parameter, [rows, parameter.range.len() / rows.max(1)]))
}

/// The parameter of a weight, and the weight's place in it.
pub(super) fn cell<'a>(
    layout: &'a Layout,
    cell: &WeightIntervention,
) -> Result<(&'a Parameter, usize), RequestError> {
    let (parameter, [rows, columns]) = parameter(layout, &cell.parameter)?;
    match cell.row < rows && cell.column < columns {
        true => Ok((parameter, cell.row * columns + cell.column)),
        false => Err(RequestError::NoCell { cell: cell.clone(), rows, columns }),
    }
}
