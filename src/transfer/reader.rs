//! A body that follows a spool, at its own pace and in its own right.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::progress::{Broken, Ending, Next};
use super::seats::SeatNumber;
use super::shared::Shared;

/// Most bytes read back from a draft's file at once.
const READ_BACK: usize = 256 * 1024;

/// The same where memory for bodies is short.
const LITTLE_READ_BACK: usize = 64 * 1024;

/// Reads a spool from its first byte while it grows.
///
/// Ends only where the writer said so; a spool that broke off is an error, never a short end.
/// Dropping it affects nobody else.
pub struct Reader {
    shared: Arc<Shared>,
    seat: SeatNumber,
    position: u64,
    length: Option<u64>,
    reading_back: Option<ReadBack>,
}

type ReadBack = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, seat: SeatNumber) -> Self {
        Self {
            shared,
            seat,
            position: 0,
            length: None,
            reading_back: None,
        }
    }

    /// Says how long the body will be, so that the message it becomes can say so too.
    #[must_use]
    pub fn with_length(mut self, length: Option<u64>) -> Self {
        self.length = length;
        self
    }

    /// Waits until the spool is written whole; returns its length. A window never is: nobody keeps
    /// what this reader does not take.
    ///
    /// Cancel-safe.
    pub async fn whole(&mut self) -> Result<u64, Broken> {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.progress.ending() {
                Some(Ending::Complete) => Poll::Ready(Ok(state.progress.written())),
                Some(Ending::Broken(broken)) => Poll::Ready(Err(broken)),
                None if state.is_window || state.seats.has_lagged(&self.seat) => {
                    Poll::Ready(Err(Broken::Lagged))
                }
                None => {
                    state.seats.wait(&self.seat, cx.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            if let Some(reading) = &mut self.reading_back {
                let read = ready!(reading.as_mut().poll(cx));
                self.reading_back = None;
                return Poll::Ready(Some(self.take_back(read)));
            }
            let mut state = self.shared.lock();
            if state.seats.has_lagged(&self.seat) {
                return Poll::Ready(Some(Err(Broken::Lagged)));
            }
            let remaining = match state.progress.next(self.position) {
                Next::Chunk(chunk) => {
                    self.position += chunk.len() as u64;
                    state.seats.advance(&self.seat, self.position);
                    drop(state);
                    self.shared.moved();
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Next::Pending => {
                    state.seats.wait(&self.seat, cx.waker());
                    return Poll::Pending;
                }
                Next::Ended(Ending::Complete) => return Poll::Ready(None),
                Next::Ended(Ending::Broken(broken)) => return Poll::Ready(Some(Err(broken))),
                Next::Gone => return Poll::Ready(Some(Err(Broken::Lagged))),
                Next::Filed(remaining) => remaining,
            };
            let Some(file) = state.file.clone() else {
                return Poll::Ready(Some(Err(Broken::Unreadable)));
            };
            drop(state);
            let most = if self.shared.budget.makes_do() {
                LITTLE_READ_BACK
            } else {
                READ_BACK
            };
            let limit = usize::try_from(remaining).unwrap_or(most).min(most);
            let position = self.position;
            let budget = self.shared.budget.clone();
            self.reading_back = Some(Box::pin(async move {
                budget.less().await;
                let held = budget.hold(limit as u64);
                Ok(held.until_read(file.read_at(position, limit).await?))
            }));
        }
    }

    fn take_back(&mut self, read: io::Result<Bytes>) -> Result<Bytes, Broken> {
        let chunk = read
            .ok()
            .filter(|chunk| !chunk.is_empty())
            .ok_or(Broken::Unreadable)?;
        self.position += chunk.len() as u64;
        self.shared.lock().seats.advance(&self.seat, self.position);
        self.shared.moved();
        Ok(chunk)
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_next(cx)
            .map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.lock();
        state.progress.ending() == Some(Ending::Complete)
            && state.progress.written() == self.position
    }

    fn size_hint(&self) -> SizeHint {
        let known = self
            .length
            .map(|length| length.saturating_sub(self.position));
        known.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.lock().seats.leave(&self.seat);
        self.shared.moved();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("position", &self.position)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
