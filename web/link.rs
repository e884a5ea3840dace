//! The part of the page's state that a link carries.

use confab::run::Catalogue;
use confab::run::link::Link;
use leptos::prelude::*;

use crate::state::State;
use crate::tab::Tab;

impl State {
    /// The part of the state that a shared link restores.
    pub fn link(&self) -> Link {
        let tab = self.tab.get_untracked();
        let request = tab.group().map(|_| self.request.get_untracked()).unwrap_or_default();
        Link {
            config: untrack(|| self.config()),
            prompt: if self.prompt_is_own.get_untracked() {
                self.prompt.get_untracked()
            } else {
                String::new()
            },
            tab: if tab == Tab::default() { String::new() } else { tab.key().into() },
            analysis: request.analysis,
            other: request.other,
            trained: String::new(),
        }
    }

    pub fn show_link(&self, link: Link) {
        self.show_config(link.config);
        self.prompt_is_own.set(!link.prompt.is_empty());
        if !link.prompt.is_empty() {
            self.prompt.set(link.prompt);
        }
        self.request.update(|request| {
            request.analysis = link.analysis;
            request.other = link.other;
        });
        self.tab.set(Tab::find(&link.tab).unwrap_or_default());
        self.check_analysis();
    }

    pub fn take_catalogue(&self, catalogue: Catalogue) {
        self.catalogue.set(catalogue);
        self.check_analysis();
    }

    /// Drops an analysis that a link names and the session does not offer. Until the session is ready, nobody knows.
    fn check_analysis(&self) {
        let id = self.request.with_untracked(|request| request.analysis.clone());
        let checked = self.catalogue.with_untracked(|catalogue| match catalogue.analyses.len() {
            0 => Ok(()),
            _ => Link { analysis: id, ..Link::default() }.check_analysis(catalogue),
        });
        if let Err(error) = checked {
            self.request.update(|request| request.analysis.clear());
            self.notify(format!("A part of the link was not followed: {error}."));
        }
    }
}
