//! The text that Prometheus reads: families of samples, each with a help and a type.

use std::fmt::{Display, Write as _};

use super::histogram::Counted;

/// A page in the making.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    family: String,
}

impl Page {
    /// What the text is, for the header that says so.
    pub(crate) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; samples belong to the last one.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        name.clone_into(&mut self.family);
    }

    /// A family of one sample.
    pub(crate) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample("", &[], value);
    }

    /// A sample; `part` is what its name adds to the family's.
    pub(crate) fn sample(&mut self, part: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let family = std::mem::take(&mut self.family);
        self.line(format_args!("{family}{part}{labels} {value}"));
        self.family = family;
    }

    /// The samples of a histogram whose numbers are divided by `scale`.
    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn histogram<const LIMITS: usize>(
        &mut self,
        labels: &[(&str, &str)],
        limits: &[u64; LIMITS],
        counted: &Counted<LIMITS>,
        scale: f64,
    ) {
        let mut sum = 0;
        for (limit, count) in limits.iter().zip(counted.below) {
            sum += count;
            let limit = (*limit as f64 / scale).to_string();
            self.sample("_bucket", &[labels, &[("le", limit.as_str())]].concat(), sum);
        }
        self.sample("_bucket", &[labels, &[("le", "+Inf")]].concat(), counted.all);
        self.sample("_sum", labels, counted.sum as f64 / scale);
        self.sample("_count", labels, counted.all);
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string never fails.
        let _ = writeln!(self.text, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn labels_say_what_was_meant() {
        let mut page = Page::default();
        page.family("a", "gauge", "Some.");
        page.sample("", &[("b", "c\"d\\e\nf")], 1);
        page.single("g", "counter", "More.", 2.5);
        let text = "# HELP a Some.\n# TYPE a gauge\na{b=\"c\\\"d\\\\e\\nf\"} 1\n\
                    # HELP g More.\n# TYPE g counter\ng 2.5\n";
        assert_eq!(page.into_text(), text);
    }
}
