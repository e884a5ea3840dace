//! Runs in the storage: listed, opened and deleted.

use super::state::Session;
use crate::checkpoint::Summary;
use crate::protocol::{Event, KeptRun};
use crate::run::DeviceChoice;

impl<E: Fn(Event)> Session<E> {
    /// Lists the runs that this version can read. Storage that fails has been told of at the start.
    pub(super) async fn report_runs(&self) {
        let Ok(files) = self.store.list().await else { return };
        let read = |(id, header): (String, Vec<u8>)| {
            let Summary { mut config, step, history } = Summary::from_header(&header).ok()?;
            config.task.text.text.clear();
            Some(KeptRun { id, step, config, history })
        };
        (self.emit)(Event::KeptRuns(files.into_iter().filter_map(read).collect()));
    }

    pub(super) async fn open_run(&mut self, id: String, device: DeviceChoice) {
        match self.store.read(&id).await {
            Ok(Some(bytes)) => self.load_saved(id, bytes, device).await,
            Ok(None) => self.refuse("This run is no longer in the browser's storage."),
            Err(reason) => self.refuse(format!("The run cannot be read: {reason}.")),
        }
    }

    pub(super) async fn delete_run(&mut self, id: &str) {
        if let Err(reason) = self.store.delete(id).await {
            self.notice(format!("The run was not deleted: {reason}."));
        }
        self.report_runs().await;
    }
}
