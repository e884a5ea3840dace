//! The runs on the page: all of them, those on the chart, and the one on screen.

use confab::run::LossPoint;
use leptos::prelude::*;

use crate::chart::Measure;
use crate::runs::Run;
use crate::state::State;

impl State {
    /// Every run: those of earlier visits, then those of this one, the one on screen last.
    pub fn all_runs(&self) -> Vec<Run> {
        let runs = self.runs.get();
        let is_old = |kept: &Run| runs.iter().all(|run| run.id != kept.id);
        let kept: Vec<Run> =
            self.kept_runs.with(|kept| kept.iter().filter(|of| is_old(of)).cloned().collect());
        kept.into_iter().chain(runs).collect()
    }

    /// Runs whose curves share a chart: those of the task of the one on screen, and for losses, which differ, of its
    /// learner. And the number of others that are to be shown.
    pub fn drawn_runs(&self, measure: Measure) -> (Vec<Run>, usize) {
        let kind = self.runs.with(|runs| runs.last().map(Run::kind));
        let shares = |run: &Run| {
            let (task, learner) = run.kind();
            kind.is_some_and(|(own, of)| {
                task == own && (learner == of || measure == Measure::Accuracy)
            })
        };
        let shown = self.all_runs().into_iter().filter(|run| run.is_shown);
        let (drawn, others): (Vec<_>, Vec<_>) = shown.partition(shares);
        (drawn, others.len())
    }

    /// Changes a run by its number, wherever it is listed.
    pub fn change_run(&self, number: usize, change: impl Fn(&mut Run)) {
        for list in [self.runs, self.kept_runs] {
            let has_it = |runs: &Vec<Run>| runs.iter().any(|run| run.number == number);
            if list.with_untracked(has_it) {
                list.update(|runs| {
                    runs.iter_mut().filter(|run| run.number == number).for_each(&change);
                });
            }
        }
    }

    /// The losses after the last step of the run on screen; `None` before its first.
    pub fn last_point(&self) -> Option<LossPoint> {
        if self.building.get() {
            return None;
        }
        self.runs.with(|runs| runs.last()?.last())
    }

    /// The last validation loss of the run on screen.
    pub fn last_validation(&self) -> Option<f64> {
        if self.building.get() {
            return None;
        }
        self.runs.with(|runs| runs.last()?.validation().0)
    }

    /// The last accuracy of the run on screen.
    pub fn last_accuracy(&self) -> Option<f64> {
        if self.building.get() {
            return None;
        }
        self.runs.with(|runs| runs.last()?.accuracy())
    }

    /// The step of the model that the panels show.
    pub fn shown_step(&self) -> usize {
        let newest = || self.last_point().map_or(0, |point| point.step);
        self.visited.get().unwrap_or_else(newest)
    }
}
