//! Runs kept in the browser's private file system (OPFS).

use std::hash::{DefaultHasher, Hash, Hasher};

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemWritableFileStream, WorkerGlobalScope,
};

use crate::checkpoint::Checkpoint;

/// The folder `runs` of the origin's private file system: files named
/// `{experiment}-{step}.safetensors`.
#[derive(Clone, Debug, Default)]
pub struct RunStorage {}

/// Files kept of one experiment, and of all together.
const KEPT: usize = 3;
const KEPT_IN_ALL: usize = 12;

impl RunStorage {
    pub fn opfs() -> Self {
        Self {}
    }

    /// A page keeps steps in memory.
    pub fn keeps_steps(&self) -> bool {
        false
    }

    /// # Errors
    /// None.
    pub fn keep_step(&self, _: &Checkpoint) -> Result<(), String> {
        Ok(())
    }

    /// The bytes of the file written last; `None` without a file.
    ///
    /// # Errors
    /// The browser's message.
    pub async fn latest(&self) -> Result<Option<Vec<u8>>, String> {
        newest().await.map_err(refusal)
    }

    /// Writes the run and removes its older files. A file appears whole or not at all.
    ///
    /// # Errors
    /// The browser's message, as when its storage is full or switched off.
    pub async fn save(&self, checkpoint: &Checkpoint, bytes: &[u8]) -> Result<bool, String> {
        write(checkpoint, bytes).await.map_err(refusal)?;
        Ok(true)
    }
}

fn refusal(error: JsValue) -> String {
    let why = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    format!("the browser's storage refused it ({})", why.unwrap_or("unknown".into()))
}

struct Entry {
    name: String,
    file: File,
}

async fn folder() -> Result<FileSystemDirectoryHandle, JsValue> {
    let storage = js_sys::global().unchecked_into::<WorkerGlobalScope>().navigator().storage();
    let root: FileSystemDirectoryHandle =
        JsFuture::from(storage.get_directory()).await?.dyn_into()?;
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    JsFuture::from(root.get_directory_handle_with_options("runs", &options)).await?.dyn_into()
}

async fn newest() -> Result<Option<Vec<u8>>, JsValue> {
    let Some(newest) = list(&folder().await?).await?.pop() else { return Ok(None) };
    let buffer = JsFuture::from(newest.file.array_buffer()).await?;
    Ok(Some(Uint8Array::new(&buffer).to_vec()))
}

/// Every file, the one written last at the end.
async fn list(folder: &FileSystemDirectoryHandle) -> Result<Vec<Entry>, JsValue> {
    let mut entries = Vec::new();
    let values = folder.values();
    loop {
        let next = JsFuture::from(values.next()?).await?;
        if Reflect::get(&next, &"done".into())?.is_truthy() {
            break;
        }
        if let Ok(handle) = Reflect::get(&next, &"value".into())?.dyn_into::<FileSystemFileHandle>()
        {
            let file: File = JsFuture::from(handle.get_file()).await?.dyn_into()?;
            if file.size() > 0.0 {
                entries.push(Entry { name: handle.name(), file });
            }
        }
    }
    entries.sort_by(|a, b| a.file.last_modified().total_cmp(&b.file.last_modified()));
    Ok(entries)
}

async fn write(checkpoint: &Checkpoint, bytes: &[u8]) -> Result<(), JsValue> {
    let folder = folder().await?;
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&checkpoint.config).unwrap_or_default().hash(&mut hasher);
    let experiment = format!("{:016x}", hasher.finish());
    let name = format!("{experiment}-{:09}.safetensors", checkpoint.step);
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let handle: FileSystemFileHandle =
        JsFuture::from(folder.get_file_handle_with_options(&name, &options)).await?.dyn_into()?;
    let stream: FileSystemWritableFileStream =
        JsFuture::from(handle.create_writable()).await?.dyn_into()?;
    // A copy, for a view of WASM memory may move while the browser writes.
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence(&parts)?;
    JsFuture::from(stream.write_with_blob(&blob)?).await?;
    JsFuture::from(stream.close()).await?;

    let entries = list(&folder).await?;
    let of_run = entries.iter().filter(|entry| entry.name.starts_with(&experiment)).count();
    let mut surplus = of_run.saturating_sub(KEPT);
    let mut surplus_in_all = entries.len().saturating_sub(KEPT_IN_ALL);
    for entry in &entries {
        let own = entry.name.starts_with(&experiment);
        if (own && surplus > 0) || surplus_in_all > 0 {
            JsFuture::from(folder.remove_entry(&entry.name)).await?;
            surplus = surplus.saturating_sub(usize::from(own));
            surplus_in_all = surplus_in_all.saturating_sub(1);
        }
    }
    Ok(())
}
