//! The log of what pages said and asked for (console, network, dialogs), and which of it is a
//! complaint.
//!
//! The driver hands out each entry once, so all are kept here. Not here: when somebody looks
//! (`Drop` in `mod.rs`, and each test).

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::{RequestData, SessionId};

use super::Browser;

/// A line of the console.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// `SEVERE`, `WARNING`, `INFO` or `DEBUG`.
    pub level: String,
    /// With the address and the place that it comes from.
    pub message: String,
    /// `console-api`, `network`, `security`, `javascript` or another part of the browser.
    #[serde(default)]
    pub source: String,
}

/// A request that a document sent, whether it was answered or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// The document that sent it, or that it is for.
    pub document: String,
    /// `Document`, `Script`, `Stylesheet`, `Fetch` and so on.
    pub kind: String,
}

/// Something that no page may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// A warning or an error on the console.
    Console(Message),
    /// A request to another host than 127.0.0.1.
    Elsewhere(Request),
    /// An `alert`, `confirm`, `prompt` or `beforeunload`, with its text.
    Dialog(String),
}

#[derive(Debug, Default)]
pub(super) struct Logs {
    messages: Vec<Message>,
    requests: Vec<Request>,
    complaints: Vec<Complaint>,
}

impl Logs {
    pub(super) fn forgive(&mut self, which: impl Fn(&Complaint) -> bool) {
        self.complaints.retain(|complaint| !which(complaint));
    }

    fn said(&mut self, message: Message) {
        if matches!(message.level.as_str(), "SEVERE" | "WARNING") {
            self.complaints.push(Complaint::Console(message.clone()));
        }
        self.messages.push(message);
    }

    /// An event of the browser's debugger.
    fn happened(&mut self, event: &Value) {
        let of = &event["params"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let request = match event["method"].as_str() {
            Some("Network.requestWillBeSent") => Request {
                url: text(&of["request"]["url"]),
                document: text(&of["documentURL"]),
                kind: text(&of["type"]),
            },
            Some("Network.webSocketCreated" | "Network.webTransportCreated") => Request {
                url: text(&of["url"]),
                document: String::new(),
                kind: "WebSocket".to_owned(),
            },
            Some("Page.javascriptDialogOpening") => {
                self.complaints
                    .push(Complaint::Dialog(text(&of["message"])));
                return;
            }
            _ => return,
        };
        // The browser's own first page, from inside of the browser.
        if request.document.starts_with("chrome://") || request.url.starts_with("chrome://") {
            return;
        }
        if leaves_the_machine(&request.url) {
            self.complaints.push(Complaint::Elsewhere(request.clone()));
        }
        self.requests.push(request);
    }
}

/// Whether an address leads to another host, by name or number, than 127.0.0.1; one that needs no
/// network does not.
fn leaves_the_machine(url: &str) -> bool {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    if matches!(scheme, "data" | "blob" | "about") {
        return false;
    }
    let host = rest.trim_start_matches('/').split(['/', '?', '#']).next();
    let host = host.unwrap_or_default();
    host != "127.0.0.1" && !host.starts_with("127.0.0.1:")
}

/// Takes the entries of one of the driver's logs.
#[derive(Debug)]
struct TakeLog(&'static str);

impl FormatRequestData for TakeLog {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(http::Method::POST, format!("session/{session}/se/log"))
            .add_body(json!({ "type": self.0 }))
    }
}

/// An entry of the performance log: JSON in a string.
#[derive(Deserialize)]
struct Entry {
    message: String,
}

impl Browser {
    /// Moves what is new in the driver's logs to ours.
    fn listen(&self) {
        let messages: Vec<Message> = self
            .ask(self.web.cmd(TakeLog("browser")))
            .and_then(|answer| answer.value())
            .expect("the driver keeps a log of the console");
        let entries: Vec<Entry> = self
            .ask(self.web.cmd(TakeLog("performance")))
            .and_then(|answer| answer.value())
            .expect("the driver keeps a log of the network");
        let mut logs = self.logs.borrow_mut();
        for message in messages {
            logs.said(message);
        }
        for entry in entries {
            let event: Value = serde_json::from_str(&entry.message).expect("an event in JSON");
            logs.happened(&event["message"]);
        }
    }

    /// All lines of the console so far.
    pub fn messages(&self) -> Vec<Message> {
        self.listen();
        self.logs.borrow().messages.clone()
    }

    /// All requests so far, without the browser's own.
    pub fn requests(&self) -> Vec<Request> {
        self.listen();
        self.logs.borrow().requests.clone()
    }

    /// All complaints about pages so far. A browser that is dropped with any fails the test.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.listen();
        self.logs.borrow().complaints.clone()
    }
}
