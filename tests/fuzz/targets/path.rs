//! Paths of requests, and lines of a file of passwords.

#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::parse;

fuzz_target!(|input: (&str, &[u8])| {
    let (path, passwords) = input;
    for path in [path.to_owned(), format!("/v2/{path}"), format!("/v2/a/{path}")] {
        // What names a resource leads out of no folder.
        let leads_out = path.split('/').any(|part| part == ".." || part == ".");
        assert!(!(leads_out && parse::names_a_resource(&path)), "{path}");
    }
    parse::read_passwords(passwords);
});
