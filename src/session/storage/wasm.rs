//! Runs kept in the browser's private file system (OPFS).

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use gloo_file::futures::read_as_bytes;
use gloo_file::{Blob, File};
use gloo_timers::future::sleep;
use js_sys::{Math, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemWritableFileStream, WorkerGlobalScope,
};

use super::Kept;
use crate::checkpoint::{Checkpoint, LENGTH_BYTES, Summary};

/// The folder `runs` of the origin's private file system: files named `{run}-{step}.safetensors`.
#[derive(Clone, Debug, Default)]
pub struct RunStorage {
    /// Runs that no other tab may write.
    claimed: Rc<RefCell<HashSet<String>>>,
}

/// Files kept of one run: the last, and one before it.
const FILES: usize = 2;
/// Tries to claim a run, and the time between them: a page that was left keeps its runs for a moment.
const CLAIMS: usize = 5;
const BETWEEN_CLAIMS: Duration = Duration::from_millis(100);
/// Runs kept, as far as the browser has room.
const RUNS: usize = 24;

impl RunStorage {
    pub fn opfs() -> Self {
        Self::default()
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

    /// A name for a new run, which no other has, also in another tab.
    pub fn new_run(&self) -> String {
        let random = || (Math::random() * f64::from(u32::MAX)) as u32;
        format!("{:08x}{:08x}", random(), random())
    }

    /// Waits for a while.
    pub async fn wait(&self, time: Duration) {
        sleep(time).await;
    }

    /// Claims a run for this tab until it is closed; `false` if another tab has it. A browser without locks, as on a page
    /// without HTTPS or in a frame without an origin, has no storage to guard either, which saving tells.
    pub async fn claim(&self, run: &str) -> bool {
        let is_new = self.claimed.borrow_mut().insert(run.to_owned());
        if !is_new {
            return true;
        }
        for _ in 0..CLAIMS {
            if lock(run).await.unwrap_or(true) {
                return true;
            }
            sleep(BETWEEN_CLAIMS).await;
        }
        self.claimed.borrow_mut().remove(run);
        false
    }

    /// The name of the run saved last and the bytes of its file; `None` without a file.
    ///
    /// # Errors
    /// The browser's message.
    pub async fn latest(&self) -> Result<Option<(String, Vec<u8>)>, String> {
        newest("").await.map_err(refusal)
    }

    /// Each run's name and the header of its newest file, the run saved last at the end.
    ///
    /// # Errors
    /// The browser's message.
    pub async fn list(&self) -> Result<Vec<(String, Vec<u8>)>, String> {
        headers().await.map_err(refusal)
    }

    /// The newest file of a run; `None` if there is none.
    ///
    /// # Errors
    /// The browser's message.
    pub async fn read(&self, run: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(newest(run).await.map_err(refusal)?.map(|(_, bytes)| bytes))
    }

    /// Removes the files of a run.
    ///
    /// # Errors
    /// The browser's message.
    pub async fn delete(&self, run: &str) -> Result<(), String> {
        let delete = async || remove_run(&folder().await?, run).await;
        delete().await.map_err(refusal)
    }

    /// Writes the run and removes its older files, and the oldest runs where there is no room for all. A file appears
    /// whole or not at all.
    ///
    /// # Errors
    /// The browser's message, as when its storage is full or switched off.
    pub async fn save(
        &self,
        run: &str,
        step: usize,
        bytes: &[u8],
    ) -> Result<Option<Kept>, String> {
        // The name is drawn at random or was claimed when the run was opened.
        self.claim(run).await;
        let removed = save(run, step, bytes).await.map_err(refusal)?;
        Ok(Some(Kept { removed }))
    }
}

#[wasm_bindgen]
extern "C" {
    /// The browser's `LockManager`.
    type Locks;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &Locks,
        name: &str,
        options: &Object,
        granted: &JsValue,
    ) -> Result<Promise, JsValue>;
}

/// Takes the lock of a run, and keeps it as long as the worker lives; `false` if it is taken.
async fn lock(run: &str) -> Result<bool, JsValue> {
    let navigator = js_sys::global().unchecked_into::<WorkerGlobalScope>().navigator();
    let locks = Reflect::get(&navigator, &"locks".into())?;
    if locks.is_undefined() {
        return Ok(true);
    }
    let (tell, told) = oneshot::channel();
    let granted = Closure::once_into_js(move |lock: JsValue| {
        let _ = tell.send(!lock.is_null());
        Promise::new(&mut |_, _| {}) // never settled, which keeps the lock
    });
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
    let name = format!("confab run {run}");
    let request = locks.unchecked_into::<Locks>().request(&name, &options, &granted)?;
    // A browser that refuses, as in a frame without an origin, never calls back.
    match select(told, JsFuture::from(request)).await {
        Either::Left((is_free, _)) => Ok(is_free.unwrap_or(true)),
        Either::Right((ended, _)) => ended.map(|_| true),
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

impl Entry {
    /// Name of the run that it is of.
    fn run(&self) -> &str {
        self.name.split_once('-').map_or(&self.name, |(run, _)| run)
    }
}

async fn folder() -> Result<FileSystemDirectoryHandle, JsValue> {
    let navigator = js_sys::global().unchecked_into::<WorkerGlobalScope>().navigator();
    // As on a page without HTTPS, or in the frame of one.
    if Reflect::get(&navigator, &"storage".into())?.is_undefined() {
        return Err(js_sys::Error::new("it has none for a page that is not secure").into());
    }
    let storage = navigator.storage();
    let root: FileSystemDirectoryHandle =
        JsFuture::from(storage.get_directory()).await?.dyn_into()?;
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    JsFuture::from(root.get_directory_handle_with_options("runs", &options)).await?.dyn_into()
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
            let file: web_sys::File = JsFuture::from(handle.get_file()).await?.dyn_into()?;
            if file.size() > 0.0 {
                entries.push(Entry { name: handle.name(), file: file.into() });
            }
        }
    }
    entries.sort_by_key(|entry| entry.file.last_modified_time());
    Ok(entries)
}

/// Names of the runs, the one written last at the end.
fn runs(entries: &[Entry]) -> Vec<&str> {
    let mut runs = Vec::new();
    for entry in entries {
        runs.retain(|run| *run != entry.run());
        runs.push(entry.run());
    }
    runs
}

/// The newest file of `run`, or of all runs if that is empty: its run and its bytes.
async fn newest(run: &str) -> Result<Option<(String, Vec<u8>)>, JsValue> {
    let entries = list(&folder().await?).await?;
    let newest = entries.iter().rfind(|entry| run.is_empty() || entry.run() == run);
    match newest {
        Some(newest) => Ok(Some((newest.run().to_owned(), read(&newest.file).await?))),
        None => Ok(None),
    }
}

async fn headers() -> Result<Vec<(String, Vec<u8>)>, JsValue> {
    let entries = list(&folder().await?).await?;
    let mut headers = Vec::new();
    for run in runs(&entries) {
        let Some(newest) = entries.iter().rfind(|entry| entry.run() == run) else { continue };
        let (file, start): (&Blob, u64) = (&newest.file, LENGTH_BYTES as u64);
        let length = read(&file.slice(0, start)).await?;
        let length = length.try_into().ok().and_then(Summary::header_len);
        let Some(length) = length else { continue };
        let header = read(&file.slice(start, start + length as u64)).await?;
        headers.push((run.to_owned(), header));
    }
    Ok(headers)
}

async fn read(blob: &Blob) -> Result<Vec<u8>, JsValue> {
    read_as_bytes(blob).await.map_err(|error| js_sys::Error::new(&error.to_string()).into())
}

/// Saves the run, and gives the names of those that had to make room.
async fn save(own: &str, step: usize, bytes: &[u8]) -> Result<Vec<String>, JsValue> {
    let folder = folder().await?;
    let name = format!("{own}-{step:09}.safetensors");
    let mut removed = Vec::new();
    while let Err(error) = write(&folder, &name, bytes).await {
        let entries = list(&folder).await?;
        let oldest = runs(&entries).into_iter().find(|run| *run != own);
        let Some(oldest) = oldest.filter(|_| is_full(&error)) else { return Err(error) };
        remove_run(&folder, oldest).await?;
        removed.push(oldest.to_owned());
    }
    let entries = list(&folder).await?;
    for old in entries.iter().filter(|entry| entry.run() == own).rev().skip(FILES) {
        JsFuture::from(folder.remove_entry(&old.name)).await?;
    }
    let runs = runs(&entries);
    for oldest in &runs[..runs.len().saturating_sub(RUNS)] {
        remove_run(&folder, oldest).await?;
        removed.push((*oldest).to_owned());
    }
    Ok(removed)
}

fn is_full(error: &JsValue) -> bool {
    let name = Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string());
    name.as_deref() == Some("QuotaExceededError")
}

async fn write(folder: &FileSystemDirectoryHandle, name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let handle: FileSystemFileHandle =
        JsFuture::from(folder.get_file_handle_with_options(name, &options)).await?.dyn_into()?;
    let stream: FileSystemWritableFileStream =
        JsFuture::from(handle.create_writable()).await?.dyn_into()?;
    // A copy, for a view of WASM memory may move while the browser writes.
    let blob = Blob::new(Uint8Array::from(bytes).buffer());
    JsFuture::from(stream.write_with_blob(blob.as_ref())?).await?;
    JsFuture::from(stream.close()).await?;
    Ok(())
}

async fn remove_run(folder: &FileSystemDirectoryHandle, run: &str) -> Result<(), JsValue> {
    for entry in list(folder).await?.iter().filter(|entry| entry.run() == run) {
        JsFuture::from(folder.remove_entry(&entry.name)).await?;
    }
    Ok(())
}
