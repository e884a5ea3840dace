//! Models that the user saves and loads: from a file, from the browser's storage, from beside the page.

use std::collections::VecDeque;

use confab::base::text::FileText;
use confab::config::{Knob, MAX_TEXT_BYTES, TaskKind};
use confab::protocol::{Command, NamedFile, SaveAs};
use confab::run::DeviceChoice;
use gloo_file::File;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Actions, Origin};
use crate::browser;

/// A trained checkpoint that is shipped with the page.
const EXAMPLE: &str = "assets/demo.safetensors";
const MAX_CHECKPOINT_MIB: u64 = 512;

impl Actions {
    pub fn save(&self, form: SaveAs) {
        self.send(Command::Save(form));
    }

    /// A run's one file, or those of another's model.
    pub fn load_checkpoint(self, files: Vec<File>) {
        let size: u64 = files.iter().map(|file| file.size()).sum();
        let limit = MAX_CHECKPOINT_MIB;
        let mib = size.div_ceil(1 << 20);
        if mib > limit {
            return self.state.notify(format!(
                "The checkpoint was not loaded: it has {mib} MiB, and the page takes at most {limit}. \
                 `confab import` takes larger ones at the terminal."
            ));
        }
        spawn_local(async move {
            let mut read = Vec::new();
            for file in files {
                let name = file.name();
                match browser::read_bytes(&file).await {
                    Ok(bytes) => read.push(NamedFile { name, bytes }),
                    Err(reason) => {
                        return self.state.notify(format!("{name} could not be read: {reason}."));
                    }
                }
            }
            if !read.is_empty() {
                self.load(Origin::File, read);
            }
        });
    }

    /// Puts a file's text on a knob.
    pub fn load_text(self, knob: &'static Knob, file: File) {
        let state = self.state;
        // UTF-16 is up to twice as long as the text that is taken.
        if file.size() > 2 * MAX_TEXT_BYTES as u64 {
            return self.refuse_text();
        }
        spawn_local(async move {
            match browser::read_text(&file).await {
                Ok(FileText { text, note }) => {
                    self.take_text(knob, text);
                    note.into_iter().for_each(|note| state.notify(note));
                }
                Err(reason) => {
                    state.notify(format!("{} could not be read: {reason}.", file.name()));
                }
            }
        });
    }

    /// Puts a text on a knob, if it is not too long.
    pub fn take_text(&self, knob: &Knob, text: String) {
        match knob.task() {
            Some(TaskKind::Text) if text.len() > MAX_TEXT_BYTES => self.refuse_text(),
            Some(TaskKind::Text) => self.state.text.set(text.into()),
            _ => self.state.set_knob(knob, &text),
        }
    }

    fn refuse_text(&self) {
        self.state.notify(format!(
            "That text is longer than the {} KiB that are taken.",
            MAX_TEXT_BYTES >> 10
        ));
    }

    /// Loads the shipped example, unless something else has come in the meantime.
    pub fn load_example(self) {
        spawn_local(async move {
            let Some(bytes) = browser::fetch_bytes(EXAMPLE).await else { return };
            let is_untouched = self.state.model.with_untracked(Option::is_none)
                && self.pending.with_value(VecDeque::is_empty)
                && self.state.resumable.with_untracked(Option::is_none);
            if is_untouched {
                self.load(Origin::Example, vec![NamedFile { name: EXAMPLE.into(), bytes }]);
            }
        });
    }

    /// Loads a model of the gallery.
    pub(super) fn load_trained(self, name: String, origin: Origin) {
        spawn_local(async move {
            match browser::fetch_bytes(&format!("assets/gallery/{name}.safetensors")).await {
                Some(bytes) => self.load(origin, vec![NamedFile { name, bytes }]),
                None => self.state.notify(format!(
                    "The trained model “{name}” could not be fetched. Open its link again, or train \
                     one yourself."
                )),
            }
        });
    }

    fn load(&self, origin: Origin, files: Vec<NamedFile>) {
        let device = match origin {
            Origin::Example => DeviceChoice::Cpu,
            _ => self.state.device_choice.get_untracked(),
        };
        self.request(origin, Command::LoadCheckpoint { files, device });
    }

    /// Goes on with the run of the last visit.
    pub fn resume(&self) {
        let resumable = self.state.resumable.get_untracked();
        self.state.resumable.set(None);
        if let Some((id, ..)) = resumable {
            self.open_run(id);
        }
    }

    pub fn decline_resumable(&self) {
        self.state.resumable.set(None);
        if self.state.model.with_untracked(Option::is_none) {
            self.load_example();
        }
    }
}
