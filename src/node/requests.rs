//! Answers to requests. Whoever gives up a request that nobody answered tells its sender.

use super::Node;
use super::tickets::Notice;
use crate::error::{ApiError, kind};
use crate::message::exit::Watcher;
use crate::message::{Answer, Content, Reply, Requester};
use crate::slot::relations;

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The process has ended.
    Ended,
    /// The process has new code, which does not have the request.
    Upgraded,
    /// Nobody has the Message any more, or the channel that it is in.
    Dropped,
    /// The values went to a listener without their Message.
    Raw,
}

impl From<Unanswered> for ApiError {
    fn from(reason: Unanswered) -> ApiError {
        let unavailable =
            |text| ApiError { retryable: true, ..ApiError::new(kind::UNAVAILABLE, text) };
        match reason {
            Unanswered::Ended => unavailable("process ended before it answered"),
            Unanswered::Upgraded => unavailable("process was upgraded before it answered"),
            Unanswered::Dropped => unavailable("process dropped the request without an answer"),
            Unanswered::Raw => ApiError::invalid(
                "process listens to this topic without {message = true}, so it cannot answer",
            ),
        }
    }
}

impl Node {
    /// Gives the answer to a request; false if nobody waits for it.
    pub(crate) fn answer(&self, requester: Requester, reply: Reply) -> bool {
        match requester {
            Requester::Coroutine { uniq, token } => {
                let answer = Answer::Reply(reply);
                self.deliver_event(uniq, Content::Answer { token, answer })
            }
            Requester::Outside(ticket) => self.tickets.notify(ticket, Notice::Reply(reply)),
        }
    }

    /// Tells the supervisor that a process is ready.
    pub(crate) fn tell_ready(&self, uniq: u64) {
        let tickets = relations::with_living(&self.slots, uniq, |_, own| {
            let outside = own.watchers.iter().filter_map(|watcher| match watcher {
                Watcher::Outside(ticket) => Some(*ticket),
                Watcher::Monitor(_) | Watcher::Exec { .. } => None,
            });
            outside.collect::<Vec<_>>()
        });
        // Without the lock. The other holders of tickets wait for something else.
        for ticket in tickets.into_iter().flatten() {
            self.tickets.notify(ticket, Notice::Ready);
        }
    }

    /// Tells the sender of a message that is given up, if it waits for an answer.
    pub(crate) fn leave_unanswered(&self, requester: Option<Requester>, reason: Unanswered) {
        if let Some(requester) = requester {
            // Nobody needs to be told that nobody waits.
            self.answer(requester, Err(Box::new(reason.into())));
        }
    }
}
