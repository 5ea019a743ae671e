//! `harness serve`, from outside: a process that listens on sockets, over a simulated PagerDuty.

mod connecting;
mod contract;
mod executions;
mod guide;
mod listening;
mod lists;
mod subscriptions;
mod support;
mod tenants;
mod tokens;
