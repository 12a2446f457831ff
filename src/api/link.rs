//! `process.link` and `process.unlink`.

use crate::api::caller::{ApiResult, Caller, Destination};
use crate::api::function;
use crate::api::monitor::GONE;
use crate::error::ApiError;
use crate::security::Action;
use crate::slot::links;

function!(link, link_inner);
function!(unlink, unlink_inner);

/// `process.link(dest)`.
fn link_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let peer = caller.destination("link", Action::Link)?.process(GONE)?;
    caller.process.flush_taken();
    let own = caller.process.id.uniq;
    if peer.uniq != own {
        links::link(&caller.process.node.slots, own, peer.uniq)
            .map_err(|_| ApiError::not_found(GONE))?;
    }
    caller.succeed()
}

/// `process.unlink(dest)`.
fn unlink_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let peer = match caller.destination("unlink", Action::Unlink)? {
        Destination::Alive(peer) => peer.uniq,
        // The process may have failed already; its LINK_DOWN must not be delivered any more.
        Destination::Gone { uniq, .. } => uniq,
    };
    caller.process.flush_taken();
    caller.process.unlink(peer);
    caller.succeed()
}
