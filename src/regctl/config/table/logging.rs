//! `[logging]` and `[letsencrypt]`: what all services share.

use super::{
    Key,
    Kind::{Count, Duration, Flag, List, Path, Size, Text, Url},
    Section,
};

pub(super) const SECTIONS: &[Section] = &[
    Section::new("logging", Some("logging"), "logs of all services", LOGGING),
    Section::new(
        "letsencrypt",
        Some("letsencrypt"),
        "certificates from Let's Encrypt",
        LETSENCRYPT,
    )
    .not_yet(),
];

const LOGGING: &[Key] = &[
    Key::new("svlogd_size", Size, Some("\"200MiB\""), "a log file of this size is full; 0: never")
        .live(),
    Key::new("svlogd_num", Count(1), Some("30"), "so many full log files are kept").live(),
    Key::later("svlogd_timeout", Duration, "a log file's age"),
    Key::later("svlogd_filter", Text, "what compresses log files"),
    Key::later("svlogd_udp", Text, "where log lines are sent"),
    Key::later("svlogd_prefix", Text, "what log lines start with"),
    Key::later("udp_log_shipping_host", Text, "where all log lines are sent"),
    Key::later("udp_log_shipping_hostname", Text, "the host's name in them"),
    Key::later("udp_log_shipping_port", Count(1), "the port they are sent to"),
    Key::later("log_group", Text, "who else may read logs"),
    Key::later("logrotate_frequency", Text, "how often logs are rotated"),
    Key::later("logrotate_maxsize", Size, "rotated when larger"),
    Key::later("logrotate_size", Size, "rotated only when larger"),
    Key::later("logrotate_rotate", Count(0), "how many rotated logs are kept"),
    Key::later("logrotate_compress", Text, "whether rotated logs are compressed"),
    Key::later("logrotate_method", Text, "how logs are rotated"),
    Key::later("logrotate_postrotate", Text, "what runs after a rotation"),
    Key::later("logrotate_dateformat", Text, "names of rotated logs"),
];

const LETSENCRYPT: &[Key] = &[
    Key::new("enable", Flag, Some("false"), "certificates from Let's Encrypt").only("false"),
    Key::later("contact_emails", List, "who hears of problems"),
    Key::later("group", Text, "the group of the key file"),
    Key::later("key_size", Count(2048), "bits of the key"),
    Key::later("key_type", Text, "rsa or ec"),
    Key::later("ec_curve", Text, "the key's curve"),
    Key::later("owner", Text, "the owner of the key file"),
    Key::later("wwwroot", Path, "where challenges are answered"),
    Key::later("alt_names", List, "more host names"),
    Key::later("auto_renew", Flag, "renew before expiry"),
    Key::later("auto_renew_hour", Text, "the hour"),
    Key::later("auto_renew_minute", Text, "the minute"),
    Key::later("auto_renew_day_of_month", Text, "the day"),
    Key::later("auto_renew_log_directory", Path, "the folder of logs"),
    Key::later("acme_staging_endpoint", Url, "the authority's rehearsal endpoint"),
    Key::later("acme_production_endpoint", Url, "the authority's endpoint"),
];
