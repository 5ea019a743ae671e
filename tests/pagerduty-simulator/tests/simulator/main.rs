//! Sends requests to the simulator over TLS, as a client would.

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
mod pages;
mod people;
mod receiver;
mod records;
mod schedules;
mod services;
mod settings;
mod updates;
mod webdriver;
mod webhooks;
mod world;
