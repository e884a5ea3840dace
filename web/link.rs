//! The part of the page's state that a link carries.

use confab::protocol::SampleOptions;
use confab::run::link::Link;
use confab::run::{AnalysisEntry, Catalogue, Group};
use leptos::prelude::*;

use crate::head::Head;
use crate::place::Inspected;
use crate::state::State;
use crate::tab::Tab;
use crate::view::View;

fn other_than<T: PartialEq>(usual: T, value: T) -> Option<T> {
    (value != usual).then_some(value)
}

impl State {
    /// The part of the state that a shared link restores.
    pub fn link(&self) -> Link {
        let (usual, tab) = (SampleOptions::default(), self.tab.get_untracked());
        let request = tab.group().map(|_| self.request.get_untracked()).unwrap_or_default();
        let head = match tab.group() {
            Some(_) => Head { layer: request.layer, head: Some(request.head) },
            None => self.head.get_untracked(),
        };
        let position = untrack(|| self.position());
        let shown = tab.group().and_then(|group| untrack(|| self.analysis_of(group)));
        let analysis = shown.and_then(|index| untrack(|| self.analysis_id(index)));
        let analysis = analysis.unwrap_or(request.analysis);
        Link {
            config: untrack(|| self.config()),
            prompt: if self.prompt_is_own.get_untracked() || position.is_some() {
                self.prompt.get_untracked()
            } else {
                String::new()
            },
            tab: if tab == Tab::default() { String::new() } else { tab.key().into() },
            analysis,
            other: request.other,
            position,
            layer: other_than(0, head.layer),
            head: other_than(0, head.head.unwrap_or(0)),
            trained: String::new(),
            temperature: other_than(usual.temperature, self.temperature.get_untracked()),
            top_k: other_than(usual.top_k, self.top_k.get_untracked()),
            weights: None,
            sample_seed: other_than(usual.seed, self.sample_seed.get_untracked()),
        }
    }

    pub fn show_link(&self, link: Link) {
        self.show_config(link.config);
        self.prompt_is_own.set(!link.prompt.is_empty());
        if !link.prompt.is_empty() {
            self.prompt.set(link.prompt);
        }
        self.inspected.set(link.position.map(Inspected::AfterPrompt));
        let (layer, head) = (link.layer.unwrap_or(0), link.head.unwrap_or(0));
        self.head.set(Head { layer, head: Some(head) });
        let usual = SampleOptions::default();
        self.temperature.set(link.temperature.unwrap_or(usual.temperature));
        self.top_k.set(link.top_k.unwrap_or(usual.top_k));
        self.sample_seed.set(link.sample_seed.unwrap_or(usual.seed));
        self.request.update(|request| {
            request.analysis = link.analysis;
            request.other = link.other;
            (request.layer, request.head) = (layer, head);
        });
        self.view.set(View::default());
        match Tab::find(&link.tab) {
            Some(tab) => self.show_tab(tab),
            None => self.tab.set(Tab::default()),
        }
        self.check_analysis();
    }

    pub fn take_catalogue(&self, catalogue: Catalogue) {
        self.catalogue.set(catalogue);
        self.check_analysis();
    }

    /// Index in the catalogue of the analysis that a group shows: the requested one or, if that is of another group,
    /// its first. `None` until the session is ready.
    pub fn analysis_of(&self, group: Group) -> Option<usize> {
        let requested = self.request.with(|request| request.analysis.clone());
        self.catalogue.with(|catalogue| {
            let is_own = |entry: &AnalysisEntry| entry.group == group;
            let is_requested = |entry: &AnalysisEntry| is_own(entry) && entry.id == requested;
            let analyses = &catalogue.analyses;
            analyses.iter().position(is_requested).or_else(|| analyses.iter().position(is_own))
        })
    }

    pub fn analysis_id(&self, index: usize) -> Option<String> {
        self.catalogue.with(|catalogue| Some(catalogue.analyses.get(index)?.id.to_string()))
    }

    /// Drops an analysis that a link names and the session does not offer. Until the session is ready, nobody knows.
    fn check_analysis(&self) {
        let id = self.request.with_untracked(|request| request.analysis.clone());
        let checked = self.catalogue.with_untracked(|catalogue| match catalogue.analyses.len() {
            0 => Ok(()),
            _ => Link { analysis: id, ..Link::default() }.check(catalogue),
        });
        if let Err(error) = checked {
            self.request.update(|request| request.analysis.clear());
            self.notify(format!("A part of the link was not followed: {error}."));
        }
    }
}
