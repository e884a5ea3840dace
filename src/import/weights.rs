//! Weights of a model, from files of safetensors or of PyTorch.

#[cfg(feature = "cli")]
use super::state_dict;
use super::selection::{Selection, is_pytorch};
use super::settings::Settings;
use super::tensors::Tensors;
use super::{File, ImportError};
use crate::base::file_kind::FileKind;

pub struct Weights<'a> {
    pub tensors: Tensors<'a>,
    /// Settings of the model, if a checkpoint of nanoGPT brings them.
    pub settings: Option<Settings<'a>>,
    /// Lines for the user.
    pub notes: Vec<String>,
}

impl<'a> Weights<'a> {
    /// # Errors
    /// If a file is not whole.
    pub fn read(selection: &Selection<'a>) -> Result<Self, ImportError> {
        let tensors = Tensors::new(selection.weights.clone(), selection.index.clone());
        let mut weights = Self { tensors, settings: None, notes: Vec::new() };
        for file in &selection.weights {
            match FileKind::of(file.bytes) {
                FileKind::Zip | FileKind::Pickle => weights.read_pytorch(file)?,
                FileKind::Unknown if is_pytorch(file) => weights.read_pytorch(file)?,
                _ => weights.tensors.read_safetensors(file)?,
            }
        }
        Ok(weights)
    }

    #[cfg(feature = "cli")]
    fn read_pytorch(&mut self, file: &File<'a>) -> Result<(), ImportError> {
        let (settings, note) = state_dict::read(file, &mut self.tensors)?;
        self.settings = self.settings.take().or(settings);
        self.notes.extend(note);
        Ok(())
    }

    #[cfg(not(feature = "cli"))]
    fn read_pytorch(&mut self, file: &File<'a>) -> Result<(), ImportError> {
        Err(ImportError::Terminal { file: file.name.into() })
    }
}
