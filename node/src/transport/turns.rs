//! Handshakes take turns with everything else.
//!
//! Each is a task of its own, and a task waits until all that became ready before it have had their step.
//! A step of a handshake is the dearest that there is: were a thousand ready at once, as when all peers of
//! a realm come back, each frame of those that are served already would wait for a thousand of them. So
//! only a few are let through until all else that was ready has been served once. This is for TCP; QUIC
//! shakes hands within its library, where nothing can be put in between.

use super::limits::HANDSHAKE_STEPS_PER_TURN;
use libp2p::Multiaddr;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, Transport, TransportError, TransportEvent,
};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};

/// Who may take a step now, and who waits.
#[derive(Debug, Default)]
struct Turns {
    line: Mutex<Line>,
    /// A turn has begun, or somebody waits for one.
    called: Notify,
}

#[derive(Debug, Default)]
struct Line {
    /// Steps that are left of this turn.
    left: usize,
    /// Who waits, in the order of their tickets.
    waiting: VecDeque<Waker>,
    /// The ticket of the first who waits. Those before may take their step.
    first: u64,
}

impl Turns {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a step may be taken now. If not, the task is woken when it may: it has a ticket.
    fn may(&self, ticket: &mut Option<u64>, cx: &Context<'_>) -> bool {
        let mut line = self.line();
        if let Some(number) = *ticket {
            let place =
                number.checked_sub(line.first).and_then(|place| usize::try_from(place).ok());
            let Some(waker) = place.and_then(|place| line.waiting.get_mut(place)) else {
                *ticket = None;
                return true;
            };
            waker.clone_from(cx.waker());
            return false;
        }
        let free = line.left > 0 && line.waiting.is_empty();
        if free {
            line.left -= 1;
        } else {
            *ticket = Some(line.first + line.waiting.len() as u64);
            line.waiting.push_back(cx.waker().clone());
        }
        drop(line);
        self.called.notify_one();
        free
    }

    /// Begins a turn. False if nobody has waited for it.
    fn begin(&self) -> bool {
        let mut line = self.line();
        let count = line.waiting.len().min(HANDSHAKE_STEPS_PER_TURN);
        let next: Vec<Waker> = line.waiting.drain(..count).collect();
        line.first += count as u64;
        line.left = HANDSHAKE_STEPS_PER_TURN - count;
        drop(line);
        next.into_iter().for_each(Waker::wake);
        count > 0
    }

    /// Begins one turn after the other, each when all that was ready meanwhile has been served.
    async fn keep(self: Arc<Turns>) {
        loop {
            self.called.notified().await;
            yield_now().await;
            while self.begin() {
                yield_now().await;
            }
        }
    }
}

/// A future whose steps are taken in turns.
pub(crate) struct Turned<F> {
    inner: F,
    turns: Arc<Turns>,
    ticket: Option<u64>,
}

impl<F: Future + Unpin> Future for Turned<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.turns.may(&mut this.ticket, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut this.inner).poll(cx)
    }
}

/// A transport at whose door the handshakes take turns.
pub(crate) struct InTurns<T: Send + 'static> {
    inner: Boxed<T>,
    turns: Arc<Turns>,
    /// Ends with the transport.
    _keeper: JoinSet<()>,
}

impl<T: Send + 'static> InTurns<T> {
    /// To be called within a tokio runtime.
    pub(crate) fn new(inner: Boxed<T>) -> InTurns<T> {
        let turns = Arc::new(Turns::default());
        let mut keeper = JoinSet::new();
        keeper.spawn(Arc::clone(&turns).keep());
        InTurns { inner, turns, _keeper: keeper }
    }
}

impl<T: Send + 'static> Transport for InTurns<T> {
    type Output = T;
    type Error = <Boxed<T> as Transport>::Error;
    type ListenerUpgrade = Turned<<Boxed<T> as Transport>::ListenerUpgrade>;
    type Dial = <Boxed<T> as Transport>::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        let this = &mut *self;
        let turned = |inner| Turned { inner, turns: Arc::clone(&this.turns), ticket: None };
        Pin::new(&mut this.inner).poll(cx).map(|event| event.map_upgrade(turned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use tokio::task::{LocalSet, spawn_local};

    /// Takes so many steps, and is ready for the next at once.
    struct Steps {
        left: usize,
        taken: Rc<Cell<usize>>,
    }

    impl Future for Steps {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.taken.set(self.taken.get() + 1);
            self.left -= 1;
            if self.left == 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_thousand_handshakes_let_others_have_their_turn() {
        let local = LocalSet::new();
        let work = async {
            let turns = Arc::new(Turns::default());
            let keeper = spawn_local(Arc::clone(&turns).keep());
            let taken = Rc::new(Cell::new(0));
            let handshakes: Vec<_> = (0..1_000)
                .map(|_| {
                    let inner = Steps { left: 3, taken: Rc::clone(&taken) };
                    spawn_local(Turned { inner, turns: Arc::clone(&turns), ticket: None })
                })
                .collect();
            let mut most = 0;
            while taken.get() < 3_000 {
                let before = taken.get();
                yield_now().await;
                most = most.max(taken.get() - before);
            }
            assert!((1..=2 * HANDSHAKE_STEPS_PER_TURN).contains(&most), "{most} between two turns");
            for handshake in handshakes {
                handshake.await.expect("done");
            }
            assert!(turns.line().waiting.is_empty());
            keeper.abort();
        };
        local.run_until(work).await;
    }
}
