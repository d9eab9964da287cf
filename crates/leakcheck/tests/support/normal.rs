//! Normalises a report: replaces times, lines and versions, which differ from run to run.

/// `12.3ms` and `1.2ms to 12.3ms` are `<time>`, `a.rs:12:9` is `a.rs:<line>`, `tokio-1.54.1/src` is
/// `tokio-<version>/src`.
pub(crate) fn normal(text: &str) -> String {
    // Debug information has whole paths.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2);
    let root = format!(
        "{}/",
        root.expect("crates/leakcheck is two below").display()
    );
    let lines = text.lines().map(|line| {
        let line = line.replace(&root, "");
        let words = line.split(' ').map(word);
        let line = words.collect::<Vec<_>>().join(" ");
        // An age is a range if the ages of the tasks differ by what can be seen.
        line.replace("<time> to <time>", "<time>")
    });
    let mut normal = lines.collect::<Vec<_>>().join("\n");
    if text.ends_with('\n') {
        normal.push('\n');
    }
    normal
}

fn word(word: &str) -> String {
    if is_time(word.trim_end_matches([',', ';'])) {
        let time = word.trim_end_matches([',', ';']).len();
        return format!("<time>{}", &word[time..]);
    }
    match word.split_once(".rs:") {
        Some((file, place)) if place.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("{}.rs:<line>", without_version(file))
        }
        _ => word.to_owned(),
    }
}

fn is_time(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &word[number.len()..];
    ["ns", "us", "ms", "s"].contains(&unit) && number.parse::<f64>().is_ok()
}

fn without_version(file: &str) -> String {
    let Some((package, path)) = file.split_once('/') else {
        return file.to_owned();
    };
    match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("{name}-<version>/{path}")
        }
        _ => file.to_owned(),
    }
}
