//! The `moonlet` command, one file per subcommand.

pub(crate) mod check;
