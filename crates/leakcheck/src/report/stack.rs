//! The async stack of a group, cut to a number of lines. What is left out is counted.
//!
//! Not here: how many lines a stack gets ([`super::text`]).

use taskscope::dump::{Branch, Trace};

/// The fewest lines of a branch that does not fit: its heading, the innermost function, how many
/// are left out, and the outermost function.
const MIN_BRANCH: usize = 6;

/// The lines of a stack: at most `limit`, and at least those of one short branch.
pub(super) fn lines(trace: &Trace, limit: usize) -> Vec<String> {
    let branches: Vec<Vec<Part>> = trace.branches().iter().map(parts).collect();
    let headings: Vec<String> = headings(trace);
    let whole: usize = headings.len() + branches.iter().map(|parts| count(parts)).sum::<usize>();
    let (shown, room) = if whole <= limit {
        (branches.len(), usize::MAX)
    } else {
        // One line is for the number of branches that are left out.
        let shown = ((limit - 1) / MIN_BRANCH).clamp(1, branches.len().max(1));
        (shown, (limit - 1) / shown)
    };
    let mut lines = Vec::new();
    for (at, parts) in branches.iter().enumerate().take(shown) {
        let heading = headings.get(at);
        lines.extend(heading.cloned());
        lines.extend(cut(parts, room.saturating_sub(heading.iter().count())));
    }
    let more = branches.len() - shown.min(branches.len());
    if more > 0 {
        lines.push(format!(
            "   ... and {}",
            counted(more, "more branch", "more branches")
        ));
    }
    lines
}

/// The lines of one function, or of a remark.
type Part = Vec<String>;

fn parts(branch: &Branch) -> Vec<Part> {
    let text = branch.to_string();
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        // The file and line of a function stand below it, indented further.
        match parts.last_mut() {
            Some(part) if line.starts_with("        ") => part.push(line.to_owned()),
            _ => parts.push(vec![line.to_owned()]),
        }
    }
    parts
}

/// The heading of each branch; none if there is only one.
fn headings(trace: &Trace) -> Vec<String> {
    let branches = trace.branches();
    if branches.len() < 2 {
        return Vec::new();
    }
    let branches = branches.iter().enumerate();
    branches
        .map(|(at, branch)| {
            format!(
                "   branch {} of {}: {}",
                at + 1,
                trace.branches().len(),
                branch.wait
            )
        })
        .collect()
}

fn count(parts: &[Part]) -> usize {
    parts.iter().map(Vec::len).sum()
}

/// The innermost functions and the outermost one, and the number of those between them.
fn cut(parts: &[Part], room: usize) -> Vec<String> {
    let Some((outermost, inner)) = parts.split_last() else {
        return Vec::new();
    };
    if count(parts) <= room {
        return parts.concat();
    }
    let room = room.saturating_sub(outermost.len() + 1);
    let mut lines = Vec::new();
    let mut kept = 0;
    for part in inner {
        // Keep the innermost function in any case: it says what the task waits for.
        if kept > 0 && lines.len() + part.len() > room {
            break;
        }
        lines.extend_from_slice(part);
        kept += 1;
    }
    let more = inner.len() - kept;
    if more > 0 {
        lines.push(format!(
            "    ... {}",
            counted(more, "more function", "more functions")
        ));
    }
    lines.extend_from_slice(outermost);
    lines
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: usize) -> Vec<Part> {
        let frame = |at| vec![format!("    f{at}"), format!("        a.rs:{at}")];
        (0..count).map(frame).collect()
    }

    #[test]
    fn a_stack_that_fits_is_whole() {
        assert_eq!(cut(&frames(5), 10), frames(5).concat());
    }

    #[test]
    fn the_middle_of_a_long_stack_is_counted() {
        let lines = cut(&frames(50), 10);
        assert!(lines.len() <= 10, "{lines:?}");
        assert_eq!(lines[..2], frames(50)[0][..]);
        assert_eq!(lines[lines.len() - 2..], frames(50)[49][..]);
        let kept = lines.iter().filter(|line| line.contains(".rs:")).count();
        assert!(
            lines.contains(&format!("    ... {} more functions", 50 - kept)),
            "{lines:?}"
        );
    }
}
