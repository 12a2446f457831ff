//! What a process has to do with the standard streams: who it is in the log, and what it asked for.

use super::Process;
use crate::node::output::{Asker, Origin};

impl Process {
    /// What log lines say about it.
    pub(crate) fn origin(&self) -> Origin {
        let pid = self.node.pid_text(self.id).to_text();
        Origin { pid, entry: self.definition.id.to_string(), chain: self.chain }
    }

    /// Who asks, when the current coroutine waits next.
    pub(crate) fn asker(&self) -> Asker {
        Asker { uniq: self.id.uniq, token: self.inside.coroutines.next_token() }
    }

    /// Takes back its questions for lines of input, when no coroutine waits for them any more. A line
    /// that is on its way already comes back by itself.
    pub(crate) fn forget_questions(&mut self) {
        if std::mem::take(&mut self.has_asked_for_input) {
            let uniq = self.id.uniq;
            self.node.output.withdraw(|asker| asker.uniq == uniq);
        }
    }
}
