//! Drives the simulator over TLS, as a client would.

mod client;
mod collections;
mod command;
mod connections;
mod events;
mod faults;
mod identity;
mod incident_parts;
mod incidents;
mod judgement;
mod lists;
mod operations;
mod people;
mod receiver;
mod schedules;
mod settings;
mod webdriver;
mod webhooks;
mod world;
