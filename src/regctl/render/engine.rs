//! The template engine: strict, so that a misspelled variable is an error and not an empty line in a
//! configuration file.

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig,
    value::Serde,
};
use serde::Serialize;

/// A template that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("failed to render `{template}`")]
pub(crate) struct Error {
    /// The file of an administrator's copy, or the name of an embedded template.
    pub(crate) template: String,
    pub(crate) source: minijinja::Error,
}

/// Renders one template.
///
/// The filter `quoted` writes any value as JSON, which is valid YAML and, for strings, valid TOML: a value
/// cannot break out of its place. The filter `nginx` does the same for one argument of an nginx directive,
/// in which variables still are variables; `systemd` for one word of a unit or a tmpfiles entry, `shell` for
/// one word of a shell's command, and `ruby` for a text of gitlab.rb, which is code.
pub(super) fn render(template: &str, text: &str, context: impl Serialize) -> Result<String, Error> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_syntax(lines_of_their_own());
    engine.add_filter("quoted", quoted);
    engine.add_filter("nginx", nginx);
    engine.add_filter("ruby", ruby);
    engine.add_filter("systemd", systemd);
    engine.add_filter("shell", shell);
    engine
        .render_named_str(template, text, Serde(context))
        .map_err(|source| Error { template: template.to_owned(), source })
}

fn quoted(value: Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(&value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Between single quotes Ruby reads a text as it is.
fn ruby(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn nginx(value: &str) -> Result<String, minijinja::Error> {
    let value = on_one_line(value)?;
    Ok(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn systemd(value: &str) -> Result<String, minijinja::Error> {
    Ok(nginx(value)?.replace('%', "%%"))
}

fn shell(value: &str) -> Result<String, minijinja::Error> {
    Ok(format!("'{}'", on_one_line(value)?.replace('\'', "'\\''")))
}

fn on_one_line(value: &str) -> Result<&str, minijinja::Error> {
    match value.chars().any(char::is_control) {
        false => Ok(value),
        true => {
            let reason = "a word of this file stands on one line";
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
        }
    }
}

/// A line with nothing but a block leaves nothing behind.
fn lines_of_their_own() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().expect("the delimiters are the default ones")
}
