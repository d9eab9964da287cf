//! Accessibility by axe-core's rules: see `tests/vendor/axe-core`.

use serde_json::Value;

use super::Browser;

const AXE: &str = include_str!("../../vendor/axe-core/axe.min.js");

impl Browser {
    /// Runs axe-core on the open document, against WCAG 2.2 AA and good practice; returns one line
    /// for each broken rule.
    pub fn accessibility(&self) -> Vec<String> {
        // Runs in the page's own world, by the debugger, which no policy of a page forbids; nothing
        // is fetched.
        self.script(&format!("{AXE}; window.taskscopeAxe = null;"));
        self.script(
            "axe.run(document, { resultTypes: ['violations'], iframes: false, rules: { 'target-size': { enabled: true } } }).then(
               found => window.taskscopeAxe = found.violations.map(broken =>
                 broken.id + ': ' + broken.help + ': ' +
                 broken.nodes.slice(0, 5).map(node => node.target.join(' ') + ' ' +
                   node.any.map(why => why.message).join(', ')).join('; ') +
                 (broken.nodes.length > 5 ? ' and ' + (broken.nodes.length - 5) + ' more' : '')),
               failed => window.taskscopeAxe = ['axe-core failed: ' + failed]);",
        );
        let found: Value = self.wait_for("axe-core to end", "return window.taskscopeAxe");
        super::see::strings(&found)
    }
}
