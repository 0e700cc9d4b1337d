//! The man page instance.toml(5), from the key table.

use std::fmt::Write as _;

use super::man::{NEVER, escaped, table_section};
use crate::config::{KeyReference, SupportReference, TableReference, reference};

const HEAD: &str = r#".TH instance.toml 5 "" "" "regctl"
.SH NAME
instance.toml \- the settings of a registry that regctl runs
.SH SYNOPSIS
/etc/regctl/instance.toml
.SH DESCRIPTION
One file in TOML decides everything about an instance. regctl\-check\-config(1) lists every problem in it,
regctl\-show\-config(1) shows what is in effect and where each value came from.
.PP
What gitlab.rb writes as registry['x'] = y stands here as x = y in the table [registry]. A key belongs to the
table whose header is above it: keep plain keys above sub\-tables, and open each table once.
.PP
Durations are strings with a unit ("30s", "7d"); sizes are bytes or strings with a unit ("25MB", "25MiB").
Absolute paths are literal; relative ones are under the root. Tables of headers and fields are merged over
the default ones, and false removes one. A secret may stand in a file of its own: NAME_file gives NAME.
A key that is not supported yet is refused, never ignored.
"#;

const EXAMPLE: &str = r#".SH EXAMPLES
A registry for this machine:
.PP
.nf
[registry]
registry_http_addr = "127.0.0.1:5000"

[registry.storage.filesystem]
rootdirectory = "/srv/registry"
.fi
"#;

const FILES: [(&str, &str); 2] = [
    ("/etc/regctl/instance.toml", "Mode 0600; it may hold secrets."),
    ("/etc/regctl/ssl/HOST.crt, HOST.key", "The certificate of the host in registry_external_url."),
];

/// Generates the page.
pub(super) fn page() -> Vec<u8> {
    let mut page = HEAD.to_owned();
    reference().iter().for_each(|table| add_table(&mut page, table));
    page.push_str(EXAMPLE);
    page.push_str(&table_section("FILES", "", &FILES));
    page.push_str(
        ".SH \"SEE ALSO\"\nregctl(1), regctl\\-check\\-config(1), regctl\\-show\\-config(1)\n",
    );
    page.into_bytes()
}

fn add_table(page: &mut String, table: &TableReference) {
    let title = match table.table {
        "" => "ABOVE THE FIRST TABLE".to_owned(),
        name => format!("[{name}]"),
    };
    let doc = sentence(&format!("{}{}", table.doc, limits(table.support)));
    writeln!(page, ".SH \"{}\"\n{}", escaped(&title), escaped(&doc)).expect(NEVER);
    table.keys.iter().for_each(|key| add_key(page, key));
}

fn add_key(page: &mut String, key: &KeyReference) {
    let default = key.default.map_or_else(String::new, |default| format!(" = {default}"));
    let name = format!("{}{default}", key.name);
    let doc = sentence(&format!("{}: {}{}", key.doc, key.takes, limits(key.support)));
    writeln!(page, ".TP\n\\fB{}\\fR\n{}", escaped(&name), escaped(&doc)).expect(NEVER);
}

fn limits(support: SupportReference) -> String {
    match support {
        SupportReference::Yes => String::new(),
        SupportReference::DefaultOnly => "; only the default is supported yet".to_owned(),
        SupportReference::NotYet => "; not supported yet".to_owned(),
        SupportReference::Refused(reason) => format!("; refused: {reason}"),
    }
}

/// Makes a sentence of a few words.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}
