//! The process: arguments and environment in, an exit code out. Everything else is in the library.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    regctl::main(env::args_os().collect())
}
