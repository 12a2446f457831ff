//! A process and the standard streams: its description in log lines, and its requests for input.

use super::Process;
use crate::node::output::{Asker, Origin};

impl Process {
    /// The description of the process in log lines.
    pub(crate) fn origin(&self) -> Origin {
        let pid = self.node.pid_text(self.id).to_text();
        Origin { pid, entry: self.definition.id.to_string(), chain: self.chain }
    }

    /// Identifies the current coroutine's next wait, for a request to a stream.
    pub(crate) fn asker(&self) -> Asker {
        Asker { uniq: self.id.uniq, token: self.inside.coroutines.next_token() }
    }

    /// Withdraws requests for lines of input, when no coroutine waits for them any more. A line
    /// that is on its way already returns by itself.
    pub(crate) fn forget_questions(&mut self) {
        if std::mem::take(&mut self.has_asked_for_input) {
            let uniq = self.id.uniq;
            self.node.output.withdraw(|asker| asker.uniq == uniq);
        }
    }
}
