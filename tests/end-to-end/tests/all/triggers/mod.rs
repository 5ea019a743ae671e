//! Triggers through the real component, host, sockets and the simulator's deliveries.

mod polling;
mod webhooks;
