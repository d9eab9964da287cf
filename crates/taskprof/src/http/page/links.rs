//! Links from one page to another that work behind any prefix, with and without a slash at its end.
//!
//! All of them are relative, because a proxy may show the router under another path than that of
//! the request. Not here: which pages there are (`layout.rs`, `mod.rs`).

use axum::extract::OriginalUri;
use axum::http::request::Parts;

/// The way from one page to the others.
#[derive(Debug, Clone)]
pub(in crate::http) struct Links {
    /// The beginning of every link below the router; ends in a slash.
    below: String,
    /// The link to the overview.
    home: String,
}

impl Links {
    /// Links of the page at this number of segments below the router; 0 is the router's own
    /// address.
    pub(in crate::http) fn new(parts: &Parts, depth: usize) -> Self {
        // The path as the client sent it, before any router removed a prefix.
        let uri = parts.extensions.get::<OriginalUri>();
        Self::of(uri.map_or(parts.uri.path(), |uri| uri.path()), depth)
    }

    /// Links of the page at `path`.
    ///
    /// A browser resolves a link against everything up to the last `/` of the address. At
    /// `/debug/profile` that is `/debug/`, so the last segment must be repeated; at
    /// `/debug/profile/` it must not. Pages below link to the overview without a slash at the end,
    /// which every way of nesting answers. A `./` keeps a browser from taking a segment with a
    /// colon for a URL scheme.
    fn of(path: &str, depth: usize) -> Self {
        let segments: Vec<&str> = path.split('/').collect();
        let name = segments
            .len()
            .checked_sub(depth + 1)
            .and_then(|at| segments.get(at))
            .copied()
            .unwrap_or_default();
        match depth {
            0 if name.is_empty() => Links {
                below: "./".to_owned(),
                home: "./".to_owned(),
            },
            0 => Links {
                below: format!("./{name}/"),
                home: format!("./{name}"),
            },
            _ if name.is_empty() => Links {
                below: up(depth - 1),
                home: up(depth - 1),
            },
            _ => Links {
                below: up(depth - 1),
                home: format!("{}{name}", up(depth)),
            },
        }
    }

    /// The link to the overview.
    pub(in crate::http) fn home(&self) -> &str {
        &self.home
    }

    /// The link to a path below the router, such as `tasks` or `page/tasks?name=audit`.
    pub(in crate::http) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.below)
    }
}

fn up(levels: usize) -> String {
    match levels {
        0 => "./".to_owned(),
        levels => "../".repeat(levels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a browser resolves a link against an address.
    fn resolve(address: &str, link: &str) -> String {
        let mut at: Vec<&str> = address.split('/').collect();
        at.pop();
        for segment in link.split('/') {
            match segment {
                "." => {}
                ".." => {
                    at.pop();
                }
                segment => at.push(segment),
            }
        }
        at.join("/")
    }

    #[test]
    fn links_lead_to_the_same_places_from_every_page_behind_every_prefix() {
        for prefix in ["", "/p", "/debug/profile", "/a/odd:name"] {
            for (page, depth) in [("", 0), ("/", 0), ("/page/tasks", 2), ("/page/tasks/17", 3)] {
                let address = format!("{prefix}{page}");
                let address = if address.is_empty() { "/" } else { &address };
                let links = Links::of(address, depth);
                let home = resolve(address, links.home());
                assert_eq!(home.trim_end_matches('/'), prefix, "{address}: {links:?}");
                assert_eq!(
                    resolve(address, &links.to("cpu")),
                    format!("{prefix}/cpu"),
                    "{address}: {links:?}"
                );
            }
        }
    }
}
