//! A run kept in a file.

use std::path::PathBuf;
use std::time::Duration;

use super::Kept;
use crate::base::file::replace_file;
use crate::checkpoint::Checkpoint;

/// A file that holds the run as it was last saved, and a folder for some of its steps.
#[derive(Clone, Debug, Default)]
pub struct RunStorage {
    file: Option<PathBuf>,
    steps: Option<PathBuf>,
}

impl RunStorage {
    /// Keeps the run in `file`.
    pub fn file(file: PathBuf) -> Self {
        Self { file: Some(file), steps: None }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Also keeps steps, in `folder` if it is given.
    pub fn with_steps(self, folder: Option<PathBuf>) -> Self {
        Self { steps: folder, ..self }
    }

    pub fn keeps_steps(&self) -> bool {
        self.steps.is_some()
    }

    /// Writes `step{N}.safetensors`, and makes the folder if it is not there.
    ///
    /// # Errors
    /// A sentence naming the file.
    pub fn keep_step(&self, step: &Checkpoint) -> Result<(), String> {
        let Some(folder) = &self.steps else { return Ok(()) };
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("making the folder {}: {e}", folder.display()))?;
        let file = folder.join(format!("step{}.safetensors", step.step));
        let bytes = step.to_bytes().map_err(|e| format!("writing {}: {e}", file.display()))?;
        replace_file(&file, &bytes).map_err(|e| format!("writing {}: {e}", file.display()))
    }

    /// A terminal's run is named by its file.
    pub fn new_run(&self) -> String {
        String::new()
    }

    /// A terminal's run is saved as it ends, whatever waits.
    pub async fn wait(&self, _: Duration) {
        std::future::pending().await
    }

    /// A file is claimed when it is opened: see `cli/files.rs`.
    pub async fn claim(&self, _: &str) -> bool {
        true
    }

    /// A terminal resumes what it is told to, never what it finds.
    ///
    /// # Errors
    /// None.
    pub async fn latest(&self) -> Result<Option<(String, Vec<u8>)>, String> {
        Ok(None)
    }

    /// Lists no runs: a terminal has files.
    ///
    /// # Errors
    /// None.
    pub async fn list(&self) -> Result<Vec<(String, Vec<u8>)>, String> {
        Ok(Vec::new())
    }

    /// # Errors
    /// None.
    pub async fn read(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    /// # Errors
    /// None.
    pub async fn delete(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    /// Writes the run; `None` if there is nowhere to.
    ///
    /// # Errors
    /// A sentence naming the file.
    pub async fn save(&self, _: &str, _: usize, bytes: &[u8]) -> Result<Option<Kept>, String> {
        let Some(file) = &self.file else { return Ok(None) };
        replace_file(file, bytes).map_err(|e| format!("writing {}: {e}", file.display()))?;
        Ok(Some(Kept { removed: Vec::new() }))
    }
}
