//! `process.upgrade`.

use crate::api::caller::{ApiResult, Caller};
use crate::api::function;
use crate::error::ApiError;
use crate::payload;
use crate::process::Upgrade;
use crate::vm::lua::boundary::Reply;
use crate::vm::lua::control::Leave;
use crate::vm::lua::stack::Type;

function!(upgrade, upgrade_inner);

/// `process.upgrade(id, ...)`; it returns only if the arguments are wrong.
fn upgrade_inner(caller: &mut Caller<'_>) -> ApiResult {
    caller.require_main()?;
    let definition = match caller.kind(1) {
        Type::None | Type::Nil => None,
        Type::String | Type::Number => Some(caller.text(1)?).filter(|id| !id.is_empty()),
        other => return Err(crate::api::caller::bad_argument(1, "string", other).into()),
    };
    let arguments =
        payload::encode(caller.stack, 2).map_err(|error| ApiError::invalid(error.message()))?;
    let definition = definition.map(<[u8]>::to_vec);
    caller.process.upgrade = Some(Box::new(Upgrade { definition, arguments }));
    caller.control().set_leave(Leave::Upgrade);
    Ok(Reply::Leave)
}
