//! The command, driven as people and programs drive it: the real binary, the real component, and a
//! separate simulator for each test.

mod approve;
mod browser;
mod cases;
mod check;
mod connecting;
mod credential;
mod diff;
mod docs;
mod ending;
mod examples;
mod fake;
mod help;
mod in_a_browser;
mod inspect;
mod journal;
mod keys;
mod new;
mod options;
mod package;
mod registry;
mod run_input;
mod run_output;
mod run_sending;
mod run_stopping;
mod run_stream;
mod secrets;
mod sharing;
mod support;
mod trace;
mod trigger;
#[allow(dead_code)] // The simulator's own tests use more of it.
#[path = "../../../../tests/pagerduty-simulator/tests/simulator/webdriver.rs"]
mod webdriver;
