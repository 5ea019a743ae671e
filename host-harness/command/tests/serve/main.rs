//! `harness serve`, from outside: a process that listens on sockets, over a simulated PagerDuty.

mod connecting;
mod contract;
mod elsewhere;
mod executions;
mod executions_ending;
mod guide;
mod listening;
mod lists;
mod mcp;
mod operating;
mod page;
mod page_forms;
mod power;
mod secrets;
mod subscriptions;
mod support;
mod tenants;
mod tokens;
#[allow(dead_code)] // The simulator's own tests use more of it.
#[path = "../../../../tests/pagerduty-simulator/tests/simulator/webdriver.rs"]
mod webdriver;
