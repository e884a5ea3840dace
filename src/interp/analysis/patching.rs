//! Changes of a model's parts, which show what they do: parts knocked out, and activations patched from one
//! prompt into another. Each call of `next` is one forward pass, so that both can be done between
//! training steps.
//!
//! Source: Wang et al. 2022, "Interpretability in the Wild"; TransformerLens' `patching.py`.

use super::attribution::{Attribution, Component, LogitDifference, attribute};
use super::{AnalysisError, Head, View};
use crate::host::{ActivationCache, HostModel};
pub use crate::report::forward::{Effect, Patch, PatchGrid};
use crate::run::{Action, ActivationIntervention, Site};

/// Knocks out every head and MLP in turn: scales what it writes to 0.
#[derive(Clone, Debug)]
pub struct Knockouts {
    ids: Vec<u32>,
    /// Made to every forward pass.
    interventions: Vec<ActivationIntervention>,
    attribution: Attribution,
    effects: Vec<Effect>,
}

impl Knockouts {
    /// # Errors
    /// If the model does not read `ids`, or lacks a token or the prompt the position.
    pub fn new(
        view: &View,
        model: &HostModel,
        ids: &[u32],
        interventions: &[ActivationIntervention],
        of: LogitDifference,
    ) -> Result<Self, AnalysisError> {
        view.check_prompt(ids)?;
        let mut attribution = attribute(view, &model.record(ids, interventions), of)?;
        attribution.contributions.retain(|part| site(part.component).is_some());
        Ok(Self { ids: ids.into(), interventions: interventions.into(), attribution, effects: Vec::new() })
    }

    /// Knocks out one more part; `false` if all are done. `plain` is that given to `new`.
    pub fn next(&mut self, model: &HostModel) -> bool {
        let Some(part) = self.attribution.contributions.get(self.effects.len()) else {
            return false;
        };
        let knock_out = site(part.component).map(|site| ActivationIntervention {
            site,
            positions: 0..self.ids.len(),
            action: Action::Scale(0.0),
        });
        let interventions: Vec<ActivationIntervention> = self.interventions.iter().cloned().chain(knock_out).collect();
        let without = self.attribution.of.of(&model.record(&self.ids, &interventions));
        self.effects.push(Effect {
            component: part.component,
            effect: self.attribution.total - without,
            attribution: part.value,
        });
        true
    }

    /// The effects found so far, layer by layer.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }
}

/// The site at which a part is knocked out; `None` if it belongs to no layer.
fn site(component: Component) -> Option<Site> {
    match component {
        Component::Head(Head { layer, head }) => Some(Site::Head { layer, head }),
        Component::Mlp { layer } => Some(Site::Mlp { layer }),
        _ => None,
    }
}

/// Patches activations of a clean prompt into the forward pass of a corrupted one, a cell a call.
#[derive(Clone, Debug)]
pub struct Patching {
    clean: ActivationCache,
    corrupted_ids: Vec<u32>,
    /// Made to every forward pass, before the patch.
    interventions: Vec<ActivationIntervention>,
    /// True of each layer that the patch can be put into.
    takes_patch: Vec<bool>,
    grid: PatchGrid,
}

impl Patching {
    /// # Errors
    /// If the prompts differ in length, the model does not read them, or lacks what is patched, a
    /// token or the position; or if both prompts have the same logit difference. Patterns can be put into layers with keys
    /// alone.
    pub fn new(
        view: &View,
        model: &HostModel,
        clean_ids: &[u32],
        corrupted_ids: &[u32],
        interventions: &[ActivationIntervention],
        patch: Patch,
        of: LogitDifference,
    ) -> Result<Self, AnalysisError> {
        let (clean, corrupted) = (clean_ids.len(), corrupted_ids.len());
        if clean != corrupted {
            return Err(AnalysisError::Lengths { clean, corrupted });
        }
        view.check_prompt(clean_ids)?;
        view.check_prompt(corrupted_ids)?;
        of.check(view, clean)?;
        let takes_patch: Vec<bool> = (0..view.n_layers())
            .map(|layer| patch != Patch::Patterns || view.has_keys(layer))
            .collect();
        match patch {
            Patch::HeadsAt { position } if position >= clean => {
                return Err(AnalysisError::NoPosition { position, seq: clean });
            }
            Patch::Mlp if !view.has_mlps() => return Err(AnalysisError::NoMlp),
            Patch::Patterns if !takes_patch.contains(&true) => {
                return Err(AnalysisError::NoPatterns);
            }
            _ => {}
        }
        let clean = model.record(clean_ids, interventions);
        let corrupted = of.of(&model.record(corrupted_ids, interventions));
        let grid = PatchGrid {
            patch,
            of,
            clean: of.of(&clean),
            corrupted,
            rows: view.n_layers(),
            columns: match patch {
                Patch::Resid | Patch::Mlp => clean.seq,
                Patch::Heads | Patch::HeadsAt { .. } | Patch::Patterns => view.n_heads(),
            },
            values: Vec::new(),
        };
        if grid.clean == grid.corrupted {
            return Err(AnalysisError::SameDifference { difference: grid.clean });
        }
        let interventions = interventions.into();
        Ok(Self { clean, corrupted_ids: corrupted_ids.into(), interventions, takes_patch, grid })
    }

    /// Patches one more cell, NaN in a layer that does not take the patch; `false` if all are done. `plain` is that given to
    /// `new`.
    pub fn next(&mut self, model: &HostModel) -> bool {
        let PatchGrid { columns, rows, clean, corrupted, .. } = self.grid;
        let cell = self.grid.values.len();
        if cell == rows * columns {
            return false;
        }
        if !self.takes_patch[cell / columns] {
            self.grid.values.push(f32::NAN);
            return true;
        }
        let intervention = self.intervention(cell / columns, cell % columns);
        let interventions: Vec<ActivationIntervention> = self.interventions.iter().cloned().chain([intervention]).collect();
        let patched = self.grid.of.of(&model.record(&self.corrupted_ids, &interventions));
        self.grid.values.push((patched - corrupted) / (clean - corrupted));
        true
    }

    pub fn grid(&self) -> &PatchGrid {
        &self.grid
    }

    fn intervention(&self, layer: usize, column: usize) -> ActivationIntervention {
        let ActivationCache { seq, d_model, d_head, n_heads, .. } = self.clean;
        let recorded = &self.clean.layers[layer];
        let head = column;
        let (site, positions, values) = match self.grid.patch {
            Patch::Resid => {
                let row = &recorded.resid_pre[column * d_model..][..d_model];
                (Site::Resid { layer }, column..column + 1, row.to_vec())
            }
            Patch::Mlp => {
                let row = &recorded.mlp_out[column * d_model..][..d_model];
                (Site::Mlp { layer }, column..column + 1, row.to_vec())
            }
            Patch::Heads | Patch::HeadsAt { .. } => {
                let positions = match self.grid.patch {
                    Patch::HeadsAt { position } => position..position + 1,
                    _ => 0..seq,
                };
                let z = positions.clone().flat_map(|position| {
                    &recorded.z[(position * n_heads + head) * d_head..][..d_head]
                });
                (Site::Head { layer, head }, positions.clone(), z.copied().collect())
            }
            Patch::Patterns => {
                let pattern = &recorded.pattern[head * seq * seq..][..seq * seq];
                (Site::Pattern { layer, head }, 0..seq, pattern.to_vec())
            }
        };
        ActivationIntervention { site, positions, action: Action::Set(values) }
    }
}
