//! Saves the run: in the store, in memory, and as a file.

use std::sync::Arc;

use web_time::Instant;

use super::state::Session;
use super::storage::Kept;
use crate::checkpoint::Checkpoint;
use crate::export;
use crate::export::OutFile;
use crate::interp::lab;
use crate::interp::lab::Snapshot;
use crate::protocol::{Event, SaveAs};
use crate::run::Packed;

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn export(&mut self, form: SaveAs) {
        if let Some(run) = &self.codec {
            return self.export_codec(run, form);
        }
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no run to save yet. Press Train first.");
        };
        let checkpoint = match trainer.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.recover(error).await,
        };
        let written = match form {
            _ if !checkpoint.is_finite() => {
                Err("training has diverged, and the run holds values that are no numbers".into())
            }
            SaveAs::Checkpoint => match checkpoint.to_bytes() {
                Ok(bytes) => Ok((checkpoint.file_name(), bytes)),
                Err(error) => Err(error.to_string()),
            },
            form => self.exported(&checkpoint, form).await.map(|file| (file.name, file.bytes)),
        };
        match written {
            Ok((name, bytes)) => (self.emit)(Event::CheckpointFile { name, bytes }),
            Err(why) => self.notice(format!("The file was not written: {why}.")),
        }
    }

    /// Reports the run as it fits a link.
    pub(super) async fn pack(&mut self) {
        if self.codec.is_some() {
            let reason = "a noise codec has no weights that travel in a link: share its settings".into();
            return (self.emit)(Event::Packed(Err(reason)));
        }
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to share yet. Press Train first.");
        };
        let checkpoint = match trainer.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.recover(error).await,
        };
        let packed = Packed::of(&checkpoint).map_err(|error| error.to_string());
        (self.emit)(Event::Packed(packed.map(|packed| Box::new((checkpoint.config, packed)))));
    }

    /// The zip of the files that another program reads.
    async fn exported(&self, checkpoint: &Checkpoint, form: SaveAs) -> Result<OutFile, String> {
        let name = checkpoint.file_name();
        let name = name.strip_suffix(".safetensors").unwrap_or(&name);
        let files = match form {
            SaveAs::NanoGpt => export::nanogpt(checkpoint),
            _ => export::hugging_face(checkpoint),
        };
        let files = files.map_err(|error| error.to_string())?;
        let notebook = match form {
            SaveAs::Notebook { prompt } => Some(self.notebook(name, &prompt).await?),
            _ => None,
        };
        export::zipped(name, files, notebook).map_err(|error| error.to_string())
    }

    /// The notebook of the model in the folder `name`.
    async fn notebook(&self, name: &str, prompt: &str) -> Result<OutFile, String> {
        let Some(trainer) = &self.trainer else { return Err("there is no run".into()) };
        let snapshot = Snapshot::read(trainer).await.map_err(|error| error.to_string())?;
        let numbers =
            lab::numbers(&Arc::new(snapshot), prompt).map_err(|error| error.to_string())?;
        Ok(OutFile::new(&format!("{name}.ipynb"), export::notebook(name, prompt, &numbers)))
    }

    /// Reads the run as it is now, to go back to.
    pub(super) async fn remember(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        let start = Instant::now();
        // A device that fails shows it at the next step too.
        let Ok(checkpoint) = trainer.checkpoint().await else { return };
        if let Ok(bytes) = checkpoint.to_bytes() {
            self.saved.bytes = Some(bytes);
        }
        self.saved.remembered = (Instant::now(), start.elapsed());
    }

    /// Keeps the run in the store and in memory, unless nothing has happened since it was kept
    /// or it holds values that are no numbers.
    pub(super) async fn save(&mut self) {
        self.saved.waits = false;
        if self.codec.is_some() {
            return self.save_codec().await;
        }
        let Some(trainer) = &self.trainer else { return };
        if self.saved.step == Some(trainer.step) {
            return;
        }
        let start = Instant::now();
        let Ok(checkpoint) = trainer.checkpoint().await else { return };
        let step = checkpoint.step;
        if checkpoint.is_finite() {
            match checkpoint.to_bytes() {
                Ok(bytes) => {
                    match self.store.save(&self.run, step, &bytes).await {
                        Ok(Some(Kept { removed })) => (self.emit)(Event::Saved { step, removed }),
                        Ok(None) => {}
                        Err(error) => self.notice(format!("The run was not saved: {error}.")),
                    }
                    self.saved.bytes = Some(bytes);
                }
                Err(error) => self.notice(format!("The run was not saved: {error}.")),
            }
        }
        (self.saved.at, self.saved.took, self.saved.step) =
            (Instant::now(), start.elapsed(), Some(step));
        self.saved.is_new = false;
    }
}
