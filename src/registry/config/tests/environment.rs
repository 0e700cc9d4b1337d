//! Variables over a file.

use std::path::PathBuf;

use storage::FilesystemConfig;

use super::{Config, Invalid, LEAST, Parsed, with};
use crate::config::{Level, Origin, Secret};

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Parsed, Invalid> {
    let owned = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::parse(text, &owned.collect::<Vec<_>>())
}

fn parsed(text: &str, variables: &[(&str, &str)]) -> Parsed {
    match parse(text, variables) {
        Ok(parsed) => parsed,
        Err(invalid) => panic!("{variables:?} is refused:\n{invalid}"),
    }
}

fn problem(text: &str, variables: &[(&str, &str)]) -> String {
    parse(text, variables).unwrap_err().to_string()
}

#[test]
fn variables_change_what_the_file_says() {
    let found = parsed(
        LEAST,
        &[
            ("REGISTRY_HTTP_ADDR", "127.0.0.1:7"),
            ("REGISTRY_HTTP_SECRET", "0815"),
            ("REGISTRY_HTTP_RELATIVEURLS", "on"),
            ("REGISTRY_LOG_LEVEL", "debug"),
            ("REGISTRY_LOG_ACCESSLOG_DISABLED", "yes"),
            ("REGISTRY_LOG_FIELDS_NODE", "one"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{enabled: true}"),
            ("REGISTRY_CATALOG_MAXENTRIES", "7"),
            ("PATH", "/bin"),
            ("OTHER_REGISTRY_HTTP_ADDR", "x"),
        ],
    );
    assert_eq!(found.warnings, []);
    let config = found.config;
    assert_eq!(format!("{:?}", config.http.address), "Tcp(127.0.0.1:7)");
    assert_eq!(config.http.secret, Some(Secret::new("0815")));
    assert!(config.http.relative_urls && !config.log.access_log);
    assert!(config.storage.delete && config.storage.read_only);
    assert_eq!(config.log.level, Level::Debug);
    assert_eq!(config.log.fields["node"], "one");
    assert_eq!(config.catalog_max_entries, 7);
}

#[test]
fn variables_are_applied_in_lexical_order() {
    let found = parsed(
        LEAST,
        &[
            ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv"),
            ("REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS", "50"),
            ("REGISTRY_STORAGE", "filesystem"),
        ],
    );
    let expected = FilesystemConfig { root_directory: PathBuf::from("/srv"), max_threads: 50 };
    assert_eq!(found.config.storage.driver, storage::Config::Filesystem(expected));
}

#[test]
fn a_driver_that_a_variable_adds_is_named_with_the_variable() {
    let found = problem(LEAST, &[("REGISTRY_STORAGE_S3_BUCKET", "b")]);
    assert_eq!(
        found,
        "line 2, column 10: `storage`: names 2 drivers: `inmemory` (line 2) and `s3` (from REGISTRY_STORAGE_S3_BUCKET); keep one"
    );
}

#[test]
fn an_existing_key_of_a_map_is_met_in_any_case() {
    let text = LEAST.replace("secret: s3cr3t", "secret: s, headers: {X-Bar: [a]}");
    for (name, expected) in
        [("X-BAR", vec![("x-bar", "c")]), ("X-BAZ", vec![("x-bar", "a"), ("x-baz", "c")])]
    {
        let found = parsed(&text, &[(&format!("REGISTRY_HTTP_HEADERS_{name}"), "[c]")]);
        let headers: Vec<(&str, &str)> = found
            .config
            .http
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(headers, expected);
    }
}

#[test]
fn an_empty_variable_unsets_a_key() {
    assert_eq!(parsed(LEAST, &[("REGISTRY_HTTP_SECRET", "")]).config.http.secret, None);
}

#[test]
fn fields_have_the_names_of_their_go_structs() {
    let health = parsed(
        LEAST,
        &[
            ("REGISTRY_HEALTH_FILECHECKERS_0_FILE", "/f"),
            ("REGISTRY_HEALTH_HTTPCHECKERS_0_URI", "http://a/"),
            ("REGISTRY_HEALTH_HTTPCHECKERS_0_STATUSCODE", "204"),
            ("REGISTRY_HEALTH_TCPCHECKERS_0_ADDR", "a:1"),
        ],
    );
    let health = health.config.health;
    assert_eq!(health.files[0].path.to_str(), Some("/f"));
    assert_eq!(health.http[0].status.as_u16(), 204);
    assert_eq!(health.tcp[0].address, "a:1");
}

#[test]
fn lists_are_addressed_by_index_and_grow_by_one() {
    let text = with("notifications: {endpoints: [{name: a, disabled: true}]}");
    let first = [("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_DISABLED", "false")];
    assert!(problem(&text, &first).contains("`notifications.endpoints[].url`: missing"));
    let next = [("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_NAME", "b")];
    assert!(problem(&text, &next).contains("`notifications.endpoints[].url`: missing"));
    let beyond = [("REGISTRY_NOTIFICATIONS_ENDPOINTS_2_NAME", "b")];
    assert!(
        problem(&text, &beyond)
            .contains("beyond the end of the list, which has 1; the next number is 1")
    );
    let whole = [("REGISTRY_NOTIFICATIONS_ENDPOINTS", "[]")];
    assert_eq!(parsed(&text, &whole).warnings, []);
}

#[test]
fn unknown_variables_are_ignored_with_a_warning() {
    for (name, hint) in [
        ("REGISTRY_HTPP_ADDR", "; did you mean REGISTRY_HTTP_ADDR?"),
        ("REGISTRY_HTTP_ADDR_X", "; did you mean REGISTRY_HTTP_ADDR?"),
        ("REGISTRY_VERSION", "; the version cannot be overridden"),
        ("REGISTRY_http_addr", "; did you mean REGISTRY_HTTP_ADDR?"),
        ("REGISTRY_HEALTH_FILE", ""),
        ("REGISTRY_NAME", ""),
        ("REGISTRY_", ""),
        ("REGISTRY_HTTP__ADDR", "; did you mean REGISTRY_HTTP_ADDR?"),
    ] {
        let found = parsed(LEAST, &[(name, "x")]);
        let shown: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [format!("ignoring unrecognized environment variable {name}{hint}")]);
        assert_eq!(found.config.http.secret, Some(Secret::new("s3cr3t")));
    }
}

#[test]
fn the_variable_that_names_the_file_is_no_setting() {
    assert_eq!(parsed(LEAST, &[("REGISTRY_CONFIGURATION_PATH", "/c.yml")]).warnings, []);
}

#[test]
fn a_problem_names_the_variable_that_caused_it() {
    let invalid = parse(LEAST, &[("REGISTRY_LOG_LEVEL", "loud")]).unwrap_err();
    assert_eq!(invalid.problems[0].origin, Origin::Environment("REGISTRY_LOG_LEVEL".to_owned()));
    assert_eq!(
        invalid.to_string(),
        "REGISTRY_LOG_LEVEL: `log.level` is `loud`: must be one of error, warn, info, debug"
    );
    let not_yaml = problem(LEAST, &[("REGISTRY_LOG_LEVEL", "[a")]);
    assert!(not_yaml.starts_with("REGISTRY_LOG_LEVEL: the value is not YAML"), "{not_yaml}");
}

#[test]
fn a_variable_of_somebody_else_may_hold_what_is_no_yaml() {
    let foreign = parse(LEAST, &[("REGISTRY_ADMIN_PASSWORD", "@secret")]).unwrap();
    let said = format!("{:?}", foreign.warnings);
    assert!(said.contains("unrecognized") && !said.contains("@secret"), "{said}");
    parse(LEAST, &[("REGISTRY_LOG_LEVEL", "@debug")]).unwrap_err();
}
