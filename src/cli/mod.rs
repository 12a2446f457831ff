//! The `moonlet` command, one file per subcommand.
