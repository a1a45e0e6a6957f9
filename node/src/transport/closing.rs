//! A connection that is closed is gone in time, also if its other end has stopped reading.
//!
//! libp2p waits until all that is queued within a connection has been written, and whoever does not
//! read could keep the connection, its buffers and its place among all connections for ever.

use super::limits::CLOSE_PATIENCE;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep};

/// A connection with a deadline for its end.
pub(crate) struct InTime<M> {
    muxer: M,
    /// Once it is being closed.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<M> InTime<M> {
    pub(crate) fn new(muxer: M) -> InTime<M> {
        InTime { muxer, deadline: None }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for InTime<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_outbound(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.muxer).poll_close(cx) {
            return Poll::Ready(closed);
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(CLOSE_PATIENCE)));
        // What is still queued then is thrown away with the connection.
        deadline.as_mut().poll(cx).map(Ok)
    }
}
