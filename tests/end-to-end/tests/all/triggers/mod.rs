//! Triggers through the real component, host, sockets and the simulator's deliveries.

mod flooding;
mod polling;
mod webhooks;
