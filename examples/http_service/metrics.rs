//! What is counted, and the text in which Prometheus reads it.
//!
//! A request is counted when it comes, and again when it is over, in one of two ways: answered, or *canceled*, which
//! is what a request is whose handler was dropped, because the client went away or the server had to stop. No code
//! says "canceled": the guard's destructor does.

use std::fmt::Write;

use pirn::sync::atomic::Counter;

/// The counters. Each is sharded, so that requests on different processors do not fight for a cache line.
#[derive(Default)]
pub(crate) struct Metrics {
    total: Counter,
    canceled: Counter,
    in_flight: Counter,
    connections: Counter,
}

impl Metrics {
    /// Counts a request for as long as the guard lives.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.total.add(1);
        self.in_flight.add(1);
        InFlight { metrics: self, answered: false }
    }

    /// Counts a connection.
    pub(crate) fn connected(&self) {
        self.connections.add(1);
    }

    /// The counters as text. The request that asks for it is not among them.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let mut line = |name, kind, help, value: i64| {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
                .expect("it is a string");
        };
        line("requests_total", "counter", "Requests that have come.", self.total.get());
        line("requests_canceled_total", "counter", "Requests given up unanswered.", self.canceled.get());
        line("requests_in_flight", "gauge", "Requests that are being worked on.", self.in_flight.get());
        line("connections_total", "counter", "Connections that were accepted.", self.connections.get());
        let tasks = pirn::Handle::current().metrics().live_tasks;
        line("tasks_live", "gauge", "Tasks of the runtime.", tasks as i64);
        text
    }
}

/// A request that is being worked on.
pub(crate) struct InFlight<'a> {
    metrics: &'a Metrics,
    answered: bool,
}

impl InFlight<'_> {
    /// There is an answer.
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.add(-1);
        if !self.answered {
            self.metrics.canceled.add(1);
        }
    }
}
