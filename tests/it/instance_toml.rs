//! Bad `instance.toml` files, each with exactly what is said about it.
//!
//! The messages may change; these tests make sure that only those change that were meant to.

use super::support::World;

/// Checks that a file is refused with exactly these lines, and nothing is made of it.
pub(crate) fn refused(instance_toml: &str, expected: &str) {
    let world = World::with(instance_toml);
    let ran = world.run(&["check-config"]);
    let said = ran.stdout.replace("[ROOT]/etc/regctl/instance.toml:", "");
    let (problems, count) = said.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(problems, expected);
    let places = expected.lines().filter(|line| !line.starts_with("  hint:")).count();
    assert!(count.starts_with(&format!(" {places} problem")), "{count}");
    assert_eq!((ran.exit, ran.stderr.as_str()), (78, ""));
    assert!(!world.path("var").exists());
}

#[test]
fn a_word_that_is_no_choice_is_listed_with_the_choices() {
    refused(
        r#"[registry]
log_level = "verbose"
"#,
        r#"2:13: `registry.log_level = "verbose"`: must be one of "error", "warn", "info", "debug""#,
    );
}

#[test]
fn a_misspelled_key_gets_the_nearest_name() {
    refused(
        r#"[registry]
log_levle = "info"
"#,
        r#"2:1: unknown key `registry.log_levle`
  hint: did you mean `log_level`?"#,
    );
}

#[test]
fn a_misspelled_table_gets_the_nearest_name() {
    refused(
        r#"[registry.storage.filesytem]
rootdirectory = "/srv"
"#,
        r#"1:1: unknown table [registry.storage.filesytem]
  hint: did you mean [registry.storage.filesystem]?"#,
    );
}

#[test]
fn a_known_key_in_a_sub_table_says_where_it_belongs_and_who_opened_the_table() {
    refused(
        r#"[registry]
enable = true

[registry.storage.filesystem]
rootdirectory = "/srv"
log_level = "info"
"#,
        r#"6:1: unknown key `registry.storage.filesystem.log_level`
  hint: `log_level` belongs to [registry]; line 4 opened [registry.storage.filesystem]"#,
    );
}

#[test]
fn a_known_key_above_the_first_table_says_where_it_belongs() {
    refused(
        r#"registry_http_addr = "127.0.0.1:5000"

[registry]
"#,
        r#"1:1: unknown key `registry_http_addr`
  hint: `registry_http_addr` belongs to [registry]; here it stands above the first [table]"#,
    );
}

#[test]
fn a_top_level_key_in_a_table_says_where_it_belongs() {
    refused(
        r#"[registry]
registry_external_url = "http://registry.example.com"
"#,
        r#"2:1: unknown key `registry.registry_external_url`
  hint: `registry_external_url` belongs to the top of the file, above the first [table]; line 1 opened [registry]"#,
    );
}

#[test]
fn a_table_that_is_opened_twice_names_both_lines() {
    refused(
        r#"[registry]
log_level = "info"

[registry.http]
relativeurls = true

[registry]
enable = true
"#,
        r#"7:2: the table [registry] is opened twice: first on line 1, again on line 7
  hint: move the keys of both under one header"#,
    );
}

#[test]
fn a_key_that_is_set_twice_names_both_lines() {
    refused(
        r#"[registry]
log_level = "info"
enable = true
log_level = "debug"
"#,
        r#"4:1: `registry.log_level` is set twice: first on line 2, again on line 4
  hint: remove one of them"#,
    );
}

#[test]
fn a_bare_integer_is_no_duration() {
    refused(
        r#"[registry]
http_draintimeout = 30
"#,
        r#"2:21: `registry.http_draintimeout = 30`: must be a duration with a unit, such as "30s", "1h30m" or "7d"
  hint: for 30 seconds write "30s""#,
    );
}

#[test]
fn a_duration_needs_a_known_unit() {
    refused(
        r#"[registry.storage.maintenance.uploadpurging]
age = "7 days"
interval = "1y"
"#,
        r#"2:7: `registry.storage.maintenance.uploadpurging.age = "7 days"`: must be a duration with a unit, such as "30s", "1h30m" or "7d"
3:12: `registry.storage.maintenance.uploadpurging.interval = "1y"`: must be a duration with a unit, such as "30s", "1h30m" or "7d""#,
    );
}

#[test]
fn an_upload_is_not_purged_at_once() {
    refused(
        r#"[registry.storage.maintenance.uploadpurging]
age = "0s"
"#,
        r#"2:7: `registry.storage.maintenance.uploadpurging.age = "0s"`: must be longer than nothing
  hint: to keep abandoned uploads, write `enabled = false` here"#,
    );
}

#[test]
fn two_drivers_are_one_too_many() {
    refused(
        r#"[registry.storage.filesystem]
rootdirectory = "/srv"

[registry.storage.inmemory]
"#,
        r#"4:1: [registry.storage.inmemory] is a second storage driver: line 1 already opened [registry.storage.filesystem]
  hint: a registry has one: remove one of the tables"#,
    );
}

#[test]
fn registry_path_and_a_driver_are_one_too_many() {
    refused(
        r#"[gitlab_rails]
registry_path = "/srv/registry"

[registry.storage.filesystem]
maxthreads = 50
"#,
        r#"2:17: `gitlab_rails.registry_path = "/srv/registry"` names the storage, and so does [registry.storage.filesystem] on line 4
  hint: remove one of the two"#,
    );
}

#[test]
fn a_driver_that_is_not_supported_yet_is_named() {
    refused(
        r#"[registry.storage.oss]
bucket = "images"
accesskeysecret = "hunter2hunter2hunter2"
"#,
        r#"2:1: `registry.storage.oss.bucket` (the bucket) is not supported yet
3:1: `registry.storage.oss.accesskeysecret` (its secret) is not supported yet"#,
    );
}

#[test]
fn an_empty_table_of_a_driver_is_not_ignored() {
    refused(
        r#"[registry.storage.azure]
"#,
        r#"1:1: [registry.storage.azure] (an Azure container) is not supported yet"#,
    );
}

#[test]
fn a_key_that_is_not_supported_yet_is_named() {
    refused(
        r#"[registry]
log_directory = "/var/log/registry"
"#,
        r#"2:1: `registry.log_directory` (the folder of logs) is not supported yet"#,
    );
}

#[test]
fn an_array_of_tables_that_is_not_supported_yet_is_named() {
    refused(
        r#"[[cluster]]
nodes = 3
"#,
        r#"1:3: [[cluster]] is not supported yet"#,
    );
}

#[test]
fn a_refused_key_says_why_and_what_to_use() {
    refused(
        r#"[registry]
env_directory = "/etc/registry/env"
auto_migrate = true
"#,
        r#"2:1: `registry.env_directory` (the folder of environment files) is refused
  hint: there are no environment files: write env in [registry]
3:1: `registry.auto_migrate` (migrations of the metadata database) is refused
  hint: there is no metadata database here; collection works on the storage itself: remove it"#,
    );
}

#[test]
fn the_metadata_database_is_refused_unless_it_is_off() {
    refused(
        r#"[registry.database]
enabled = true
host = "/var/run/postgresql"
"#,
        r#"2:11: `registry.database.enabled = true`: must be false
  hint: there is no metadata database here; collection works on the storage itself: remove it
3:1: `registry.database.host` (a setting of the metadata database) is refused
  hint: there is no metadata database here; collection works on the storage itself: remove it"#,
    );
}

#[test]
fn an_address_beyond_loopback_needs_consent() {
    refused(
        r#"[registry]
registry_http_addr = "0.0.0.0:5000"
"#,
        r#"2:22: `registry.registry_http_addr = "0.0.0.0:5000"`: anyone who reaches this address could read, push and delete
  hint: write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or listen on 127.0.0.1, or write `none = true` in [registry.auth] if that is meant"#,
    );
}

#[test]
fn every_address_at_once_is_beyond_loopback() {
    refused(
        r#"[registry]
registry_http_addr = ":5000"

[registry.auth]
none = false
"#,
        r#"2:22: `registry.registry_http_addr = ":5000"`: anyone who reaches this address could read, push and delete
  hint: write [registry.auth.htpasswd] and add users with `regctl user add NAME`, or listen on 127.0.0.1, or write `none = true` in [registry.auth] if that is meant"#,
    );
}

#[test]
fn an_address_has_no_scheme() {
    refused(
        r#"[registry]
registry_http_addr = "http://127.0.0.1:5000"
"#,
        r#"2:22: `registry.registry_http_addr = "http://127.0.0.1:5000"`: must be an address without a scheme, such as "127.0.0.1:5000""#,
    );
}

#[test]
fn an_address_has_a_port_that_exists() {
    refused(
        r#"[registry]
registry_http_addr = "127.0.0.1:70000"
"#,
        r#"2:22: `registry.registry_http_addr = "127.0.0.1:70000"`: must be an address such as "127.0.0.1:5000" or ":5000", with a port from 1 to 65535"#,
    );
}

#[test]
fn a_url_has_no_path() {
    refused(
        r#"registry_external_url = "http://registry.example.com/images"
"#,
        r#"1:25: `registry_external_url = "http://registry.example.com/images"`: must be a URL such as "https://registry.example.com", without a path"#,
    );
}

#[test]
fn a_url_has_a_scheme() {
    refused(
        r#"registry_external_url = "registry.example.com"
"#,
        r#"1:25: `registry_external_url = "registry.example.com"`: must be a URL that starts with http:// or https://"#,
    );
}

#[test]
fn a_flag_in_quotes_is_no_flag() {
    refused(
        r#"[registry]
storage_delete_enabled = "true"
"#,
        r#"2:26: `registry.storage_delete_enabled = "true"`: must be true or false
  hint: write true without quotes"#,
    );
}

#[test]
fn too_few_threads_are_refused() {
    refused(
        r#"[registry.storage.filesystem]
maxthreads = 4
"#,
        r#"2:14: `registry.storage.filesystem.maxthreads = 4`: must be a whole number of at least 25"#,
    );
}

#[test]
fn a_secret_is_not_repeated() {
    refused(
        r#"[registry]
http_secret = "hunter2"
"#,
        r#"2:15: `registry.http_secret = [redacted]`: must be a string of at least 16 characters on one line"#,
    );
}

#[test]
fn variables_that_move_the_registry_are_refused() {
    refused(
        r#"[registry]
env = { REGISTRY_HTTP_ADDR = ":5000", REGISTRY_STORAGE_DELETE_ENABLED = true, HTTPS_PROXY = "http://proxy:3128" }
"#,
        r#"2:7: `registry.env.REGISTRY_HTTP_ADDR` would change where the registry listens, who may use it or where its bytes live without regctl knowing
  hint: use the keys of [registry], [registry.storage] and [registry.auth]
2:7: `registry.env.REGISTRY_STORAGE_DELETE_ENABLED` would change where the registry listens, who may use it or where its bytes live without regctl knowing
  hint: use the keys of [registry], [registry.storage] and [registry.auth]"#,
    );
}

#[test]
fn a_variable_is_a_string_a_boolean_or_an_integer() {
    refused(
        r#"[registry.env]
PROXIES = ["secret-one", "secret-two"]
"NO PROXY" = "x"
"#,
        r#"2:11: `registry.env.PROXIES = [redacted]`: must be a string, true, false or an integer
3:14: `registry.env.NO PROXY = [redacted]`: must be named with letters, digits and underscores"#,
    );
}

#[test]
fn a_header_is_a_string_or_a_list_of_strings() {
    refused(
        r#"[registry.http]
headers = { X-One = 1, X-Two = ["a", "b"] }
"#,
        r#"2:21: `registry.http.headers.X-One = 1`: must be a string or a list of strings, each on one line"#,
    );
}

#[test]
fn a_prefix_starts_with_a_slash() {
    refused(
        r#"[registry.http]
prefix = "registry"
"#,
        r#"2:10: `registry.http.prefix = "registry"`: must be a path that starts with a slash, such as "/registry/""#,
    );
}

#[test]
fn a_table_is_no_key() {
    refused(
        r#"[registry]
storage = "filesystem"
"#,
        r#"2:1: `registry.storage` is a table, not a key
  hint: write [registry.storage]"#,
    );
}

#[test]
fn text_that_is_no_toml_says_where() {
    refused(
        r#"[registry]
log_level = info
enable = true
"#,
        r#"2:13: not TOML: invalid float, expected `inf`
  hint: a string has quotes: "info""#,
    );
}

#[test]
fn an_unfinished_string_says_where() {
    refused(
        r#"[registry]
log_level = "info
"#,
        r#"2:18: not TOML: invalid basic string, expected `"`"#,
    );
}

#[test]
fn a_table_of_another_place_is_found() {
    refused(
        r#"[storage.filesystem]
rootdirectory = "/srv"
"#,
        r#"1:2: unknown table [storage]
  hint: did you mean [registry.storage]?"#,
    );
}

#[test]
fn an_unknown_table_without_a_likeness_gets_no_hint() {
    refused(
        r#"[kubernetes]
replicas = 3
"#,
        r#"1:1: unknown table [kubernetes]"#,
    );
}

#[test]
fn a_misspelled_key_is_found_in_another_table() {
    refused(
        r#"[registry.http]
log_lvel = "info"
"#,
        r#"2:1: unknown key `registry.http.log_lvel`
  hint: did you mean `log_level` in [registry]?"#,
    );
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    refused(
        r#"registry_external_url = "ftp://registry"

[registry]
log_level = "loud"
log_formatter = 7
enabel = true
http_draintimeout = 5

[registry.nginx]
listen_port = "https"

[registry.storage.filesystem]
maxthreads = "many"

[letsencrypt]
"#,
        r#"1:25: `registry_external_url = "ftp://registry"`: must be a URL that starts with http:// or https://
4:13: `registry.log_level = "loud"`: must be one of "error", "warn", "info", "debug"
5:17: `registry.log_formatter = 7`: must be one of "text", "json", "logstash"
6:1: unknown key `registry.enabel`
  hint: did you mean `enable`?
7:21: `registry.http_draintimeout = 5`: must be a duration with a unit, such as "30s", "1h30m" or "7d"
  hint: for 5 seconds write "5s"
10:15: `registry.nginx.listen_port = "https"`: must be a port from 1 to 65535
13:14: `registry.storage.filesystem.maxthreads = "many"`: must be a whole number of at least 25
15:1: [letsencrypt] (certificates from Let's Encrypt) is not supported yet"#,
    );
}
