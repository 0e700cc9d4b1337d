//! Questions to the person at the terminal.

use std::io::{self, IsTerminal as _};

use dialoguer::{Confirm, Input, Password, theme::SimpleTheme};

use crate::Secret;

/// How often a password is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Typed {
    Once,
    /// A new one, in which a slip would lock its user out.
    Twice,
}

/// Asks for a password, which is not shown; `None` when nobody is there to be asked.
pub(crate) fn password(question: &str, typed: Typed) -> io::Result<Option<Secret>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let prompt = Password::with_theme(&SimpleTheme).with_prompt(question);
    let prompt = match typed {
        Typed::Once => prompt,
        Typed::Twice => prompt.with_confirmation("Once more", "They differ; try again"),
    };
    match prompt.interact() {
        Ok(password) => Ok(Some(Secret::new(password))),
        Err(dialoguer::Error::IO(error)) => Err(error),
    }
}

/// Asks whether something may be done; `None` when nobody is there to be asked.
pub(crate) fn confirm(question: &str) -> io::Result<Option<bool>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let prompt = Confirm::with_theme(&SimpleTheme).with_prompt(question).default(false);
    match prompt.interact() {
        Ok(is_wanted) => Ok(Some(is_wanted)),
        Err(dialoguer::Error::IO(error)) => Err(error),
    }
}

/// Asks for some text; `None` when nobody is there to be asked.
pub(crate) fn typed(question: &str) -> io::Result<Option<String>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let prompt = Input::<String>::with_theme(&SimpleTheme).with_prompt(question).allow_empty(true);
    match prompt.interact_text() {
        Ok(text) => Ok(Some(text)),
        Err(dialoguer::Error::IO(error)) => Err(error),
    }
}
