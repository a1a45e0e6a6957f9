//! What a peer wants of a supernode, and the command that waits for it.

use super::Peer;
use super::locate::Waiter;
use super::session::{Session, reply};
use crate::context::Context;
use crate::id::{CommandId, NodeId};
use crate::identity::{DeviceCode, SecretKey, Ticket};
use crate::io::Reply;
use crate::name::Name;
use crate::status::Status;
use crate::time::{Span, Time};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a registration, an enrolment or a log-in command waits for its reply. A log-in goes on
/// trying behind it.
pub(super) const COMMAND_PATIENCE: Span = Span::secs(20);

/// What the peer wants of a supernode.
#[derive(Debug, Clone)]
pub(crate) enum Goal {
    /// Nothing: it stays off line.
    Rest,
    /// A certificate for a name.
    Register {
        command: CommandId,
        name: Name,
        code: Option<String>,
        give_up: Time,
        /// Registrars that have had too much to do with us.
        tired: BTreeSet<NodeId>,
    },
    /// A supernode's certificate, and perhaps a registrar's for this key.
    Enroll { command: CommandId, ticket: Ticket, registrar: Option<Box<SecretKey>>, give_up: Time },
    /// A certificate for this device, from another device of its user.
    JoinDevice { command: CommandId, code: Arc<DeviceCode>, label: String, give_up: Time },
    /// A session, and a command that waits for the first, and for others to find us there.
    Online { since: Time, waiting: Option<(CommandId, Time)> },
}

impl Peer {
    /// Takes up another goal.
    pub(super) fn pursue(&mut self, cx: &mut Context, goal: Goal) {
        self.abandon(cx, Status::STALE);
        self.goal = goal;
        self.attempts = 0;
        self.refused = None;
        self.session = Session::Seeking { retry_at: cx.now };
        self.seek(cx);
    }

    /// Ends the goal, telling the command that waits for it.
    pub(super) fn abandon(&mut self, cx: &mut Context, status: Status) {
        let goal = std::mem::replace(&mut self.goal, Goal::Rest);
        if let Some(command) = goal.waiting() {
            reply(cx, command, Reply::Failed { status });
        }
    }

    /// A session is there, and our location on its way. Whoever waits for the log-in may tell others
    /// at once to call us: the answer is that we are found.
    pub(super) fn look_for_ourselves(&mut self, cx: &mut Context) {
        if !matches!(self.goal, Goal::Online { waiting: Some(_), .. }) {
            return;
        }
        match self.own_name(cx) {
            Some(name) => self.ask_for(cx, name, Waiter::OwnRecord),
            None => self.tell_logged_in(cx),
        }
    }

    /// Answers the command that waits for the log-in.
    pub(super) fn tell_logged_in(&mut self, cx: &mut Context) {
        if let Some(home) = self.session.home()
            && let Goal::Online { since, waiting } = &mut self.goal
            && let Some((command, _)) = waiting.take()
        {
            let elapsed = cx.now.since(*since);
            reply(cx, command, Reply::LoggedIn { home, elapsed });
        }
    }

    pub(super) fn tick_goal(&mut self, cx: &mut Context) {
        let now = cx.now;
        match &mut self.goal {
            Goal::Register { give_up, .. }
            | Goal::Enroll { give_up, .. }
            | Goal::JoinDevice { give_up, .. } => {
                if now < *give_up {
                    let at = *give_up;
                    return self.wake_by(at);
                }
                let status = self.refused.take().unwrap_or(Status::TIMEOUT);
                self.abandon(cx, status);
                self.session = Session::Idle;
            }
            Goal::Online { waiting, .. } => {
                let Some((command, give_up)) = *waiting else { return };
                if now < give_up {
                    return self.wake_by(give_up);
                }
                if self.session.online().is_some() {
                    return self.tell_logged_in(cx);
                }
                *waiting = None;
                let status = self.refused.take().unwrap_or(Status::TIMEOUT);
                reply(cx, command, Reply::Failed { status });
            }
            Goal::Rest => {}
        }
    }
}

impl Goal {
    fn waiting(&self) -> Option<CommandId> {
        match self {
            Goal::Rest => None,
            Goal::Register { command, .. }
            | Goal::Enroll { command, .. }
            | Goal::JoinDevice { command, .. } => Some(*command),
            Goal::Online { waiting, .. } => waiting.map(|(command, _)| command),
        }
    }
}

#[cfg(test)]
mod tests;
