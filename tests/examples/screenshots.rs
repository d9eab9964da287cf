//! Takes the pictures of `docs/screenshots`: see `scripts/screenshots`, which runs this.
//!
//! Arguments: the address of the leaky shop's profiles, that of the fixed one's, for how many seconds to let them run, the folder.

use std::path::PathBuf;
use std::time::Duration;

use taskscope_tests::browser::Browser;

/// What a picture is of: its file, and the path below the profiles.
const VIEWS: [(&str, &str); 3] = [
    ("overview", ""),
    ("tasks", "/page/tasks"),
    ("scopes", "/page/scopes"),
];

struct Album {
    browser: Browser,
    folder: PathBuf,
}

impl Album {
    /// A picture of what is open.
    fn keep(&self, name: &str) {
        self.browser
            .screenshot(&self.folder.join(format!("{name}.png")));
    }

    /// The same in light and in dark.
    fn keep_both(&self, name: &str) {
        self.keep(name);
        self.browser.dark();
        self.keep(&format!("{name}-dark"));
        self.browser.light();
    }

    fn open(&self, address: &str) {
        self.browser.goto(address);
        self.browser.wait_for_element("main");
    }

    /// Takes a profile, and waits until it is shown.
    fn take(&self, profiles: &str, query: &str) -> String {
        self.open(&format!("{profiles}/page/capture?{query}"));
        self.browser.wait_for_element("#captures");
        let open = self
            .browser
            .script("return new URLSearchParams(location.search).get('open')");
        open.as_str().expect("a capture is open").to_owned()
    }

    fn wait_for_graph(&self) {
        self.browser.wait_for_element("iframe#graph");
        self.browser.inside("iframe#graph", || {
            self.browser.wait_for(
                "the flame graph",
                "return document.querySelectorAll('#frames rect').length > 0",
            );
        });
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [leaky, fixed, seconds, folder] = &arguments[..] else {
        panic!("four arguments: the leaky shop's profiles, the fixed one's, seconds, a folder");
    };
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    let album = Album {
        browser: Browser::start(),
        folder: PathBuf::from(folder),
    };
    let browser = &album.browser;
    browser.desktop();

    // What the later one is compared with.
    let early = album.take(leaky, "source=tasks");
    std::thread::sleep(Duration::from_secs(seconds));

    for (name, path) in VIEWS {
        album.open(&format!("{leaky}{path}"));
        album.keep_both(name);
    }
    album.open(&format!("{leaky}/page/tasks?group=none&name=audit"));
    browser.click_through("table#tasks tr[data-id] a");
    album.keep_both("task");

    album.take(leaky, "source=cpu&seconds=5");
    album.wait_for_graph();
    album.keep_both("profiles");
    let late = album.take(leaky, "source=tasks");
    album.open(&format!("{leaky}/page/profiles?open={late}&base={early}"));
    album.wait_for_graph();
    album.keep_both("comparison");

    for (name, path) in &VIEWS[..2] {
        album.open(&format!("{fixed}{path}"));
        album.keep(&format!("{name}-fixed"));
    }

    browser.small_phone();
    for (name, path) in &VIEWS[..2] {
        album.open(&format!("{leaky}{path}"));
        album.keep_both(&format!("{name}-phone"));
    }
}
