//! One question to the upstream for everybody who waits for the same answer.
//!
//! A burst of hits from one caller asks once, about one of the artifacts; that answer proves or
//! refuses the right for all of them. An absence speaks of that artifact alone, and failures are not
//! shared: whoever is told one asks for itself.

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

type Table = HashMap<Subject, Question>;

/// The artifact that is asked about, and where the answer will be.
type Question = (KeyDigest, watch::Receiver<Option<Told>>);

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
    subject: Subject,
}

/// Who asks, and who waits.
enum Entered {
    First(Asking, watch::Sender<Option<Told>>),
    After(Question),
}

impl Probes {
    /// Asks about `key`, or waits for whoever is asking about the same right.
    pub(super) async fn once<F>(
        &self,
        subject: Subject,
        key: KeyDigest,
        ask: impl FnOnce() -> F,
    ) -> Told
    where
        F: Future<Output = Told>,
    {
        match self.enter(subject, key) {
            Entered::First(asking, sender) => {
                let told = ask().await;
                drop(asking);
                sender.send_replace(Some(told.clone()));
                told
            }
            Entered::After((about, receiver)) => match told(receiver).await {
                Some(told @ (Told::Present | Told::Refused(_))) => told,
                Some(told @ Told::Absent(_)) if about == key => told,
                _ => ask().await,
            },
        }
    }

    fn enter(&self, subject: Subject, key: KeyDigest) -> Entered {
        let mut table = self.table.lock();
        if let Some(question) = table.get(&subject) {
            return Entered::After(question.clone());
        }
        let (sender, receiver) = watch::channel(None);
        table.insert(subject, (key, receiver));
        let table = Arc::clone(&self.table);
        Entered::First(Asking { table, subject }, sender)
    }
}

/// Waits for the answer to somebody else's question; none where they gave up asking.
async fn told(mut receiver: watch::Receiver<Option<Told>>) -> Option<Told> {
    let told = receiver.wait_for(Option::is_some).await.ok()?;
    told.clone()
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.table.lock().remove(&self.subject);
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
