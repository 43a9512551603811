//! One question to the upstream for everybody who waits for the same answer.
//!
//! A burst of hits from one caller asks once. Failures are not shared: whoever was told one asks for
//! itself.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::verdicts::Subject;
use crate::artifact::{Answer, Failure, KeyDigest};
use crate::upstream::Stated;

/// The questions under way.
#[derive(Debug, Default)]
pub(super) struct Probes {
    table: Arc<Mutex<Table>>,
}

type Table = HashMap<Topic, watch::Receiver<Option<Told>>>;

/// Whose right, and the artifact it is asked about.
type Topic = (Subject, KeyDigest);

/// What the upstream said of an artifact.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It is there for this caller.
    Present,
    /// It is not, or hides.
    Absent(Answer),
    /// Not for this caller.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// Takes the question off the table, however asking ended.
struct Asking {
    table: Arc<Mutex<Table>>,
    topic: Topic,
}

/// Who asks, and who waits.
enum Entered {
    First(Asking, watch::Sender<Option<Told>>),
    After(watch::Receiver<Option<Told>>),
}

impl Probes {
    /// Asks, or waits for whoever is asking the same.
    pub(super) async fn once<F>(&self, topic: Topic, ask: impl FnOnce() -> F) -> Told
    where
        F: Future<Output = Stated>,
    {
        match self.enter(topic) {
            Entered::First(asking, sender) => {
                let told = Told::from(ask().await);
                drop(asking);
                sender.send_replace(Some(told.clone()));
                told
            }
            Entered::After(receiver) => match told(receiver).await {
                None | Some(Told::Failed(_)) => Told::from(ask().await),
                Some(told) => told,
            },
        }
    }

    fn enter(&self, topic: Topic) -> Entered {
        let mut table = self.table.lock();
        if let Some(receiver) = table.get(&topic) {
            return Entered::After(receiver.clone());
        }
        let (sender, receiver) = watch::channel(None);
        table.insert(topic, receiver);
        Entered::First(
            Asking {
                table: Arc::clone(&self.table),
                topic,
            },
            sender,
        )
    }
}

/// Waits for the answer to somebody else's question; none where they gave up asking.
async fn told(mut receiver: watch::Receiver<Option<Told>>) -> Option<Told> {
    let told = receiver.wait_for(Option::is_some).await.ok()?;
    told.clone()
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.table.lock().remove(&self.topic);
    }
}

impl From<Stated> for Told {
    fn from(stated: Stated) -> Self {
        match stated {
            Stated::Present(..) => Self::Present,
            Stated::Absent(answer) => Self::Absent(answer),
            Stated::Refused(answer) => Self::Refused(answer),
            Stated::Failed(failure) => Self::Failed(failure),
        }
    }
}
