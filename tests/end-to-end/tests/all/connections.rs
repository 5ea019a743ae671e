//! Connections of a host: HTTP/2 ones are closed when they are idle, too.

use std::sync::Arc;
use std::time::Duration;

use end_to_end::engine::eventually;
use end_to_end::{World, host, transport, values};
use pagerduty_simulator::Simulator;
use serde_json::json;
use workflow_node_host::ConnectionLimits;
use workflow_node_host::transport::{HttpTransport, SentMark, Transport, TransportRequest};

/// Connections to a port of this machine that are established.
fn open(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!(":{port:04X}");
    let is_open = |line: &&str| {
        let mut columns = line.split_whitespace().skip(2);
        columns.next().is_some_and(|remote| remote.ends_with(&to)) && columns.next() == Some("01")
    };
    table.lines().filter(is_open).count()
}

fn port(simulator: &Simulator) -> u16 {
    simulator.origins().rest_us.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_of_http_2_is_closed_and_a_used_one_is_not() {
    let simulator = Simulator::builder().without_rate_limits().start().await.unwrap();
    let limits =
        ConnectionLimits { idle_time: Duration::from_millis(600), ..ConnectionLimits::default() };
    let transport: HttpTransport = transport(&simulator).limits(limits).build().unwrap();
    let request = || TransportRequest {
        plugin: "plugin".into(),
        pool: "credential".into(),
        method: "GET".parse().unwrap(),
        url: "https://api.pagerduty.com/abilities".parse().unwrap(),
        headers: Default::default(),
        body: None,
        private_addresses: false,
        response_limit: 1 << 20,
        sent: SentMark::default(),
    };
    let port = port(&simulator);
    for _ in 0..5 {
        assert_eq!(transport.send(request()).await.unwrap().version, "HTTP/2");
        assert_eq!(open(port), 1, "one connection serves them all");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    eventually(|| open(port) == 0, || format!("{} connections are open", open(port))).await;
    transport.send(request()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_leaves_no_connection_behind_for_longer_than_the_idle_time() {
    let limits =
        ConnectionLimits { idle_time: Duration::from_millis(300), ..ConnectionLimits::default() };
    let mut world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let own = transport(&world.simulator).limits(limits).build().unwrap();
    let credentials = world.credentials.clone();
    world.host = host().transport(Arc::new(own)).credential_source(credentials).build().unwrap();
    world.plugin = world.host.load_file(component_build::pagerduty()).await.unwrap();
    world.plugin.approve(None).await.unwrap();
    let outcome = world.run("ability.list", &vec![json!({}); 20]).await;
    (0..20).for_each(|item| drop(values(&outcome, item)));
    let port = port(&world.simulator);
    eventually(|| open(port) == 0, || format!("{} connections are open", open(port))).await;
}
