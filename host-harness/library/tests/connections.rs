//! How many connections and name look-ups a plugin can make the host hold, and for how long.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use workflow_node_host::ConnectionLimits;
use workflow_node_host::transport::{
    HttpTransport, HttpTransportBuilder, Resolver, SentMark, SystemResolver, Transport as _,
    TransportError, TransportRequest, TransportResponse,
};

/// A server for plain HTTP that keeps every connection open.
#[derive(Clone, Default)]
struct Server {
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    fn start(delay: Duration) -> (Self, u16) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                own.open.fetch_add(1, Ordering::SeqCst);
                own.accepted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // Returns when the other side has closed the connection.
                    let _closed = serve(stream, delay);
                    own.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        (server, port)
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many connections are open, once that is at most `most`, or after ten seconds.
    async fn open_once_at_most(&self, most: usize) -> usize {
        let until = Instant::now() + Duration::from_secs(10);
        while self.open() > most && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.open()
    }
}

fn serve(mut stream: TcpStream, delay: Duration) -> io::Result<()> {
    let (mut held, mut room) = (Vec::new(), [0; 4096]);
    loop {
        while let Some(end) = held.windows(4).position(|part| part == b"\r\n\r\n") {
            held.drain(..end + 4);
            std::thread::sleep(delay);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
        let count = stream.read(&mut room)?;
        if count == 0 {
            return Ok(());
        }
        held.extend_from_slice(&room[..count]);
    }
}

/// Maps `http://h0.example.com` and so on to a server.
fn mapped(target: &str, hosts: usize) -> HttpTransportBuilder {
    (0..hosts).fold(HttpTransport::builder(), |builder, n| {
        builder.connect_to(format!("http://h{n}.example.com={target}").parse().unwrap())
    })
}

async fn get(
    transport: &HttpTransport,
    plugin: &str,
    host: usize,
) -> Result<TransportResponse, TransportError> {
    let request = TransportRequest {
        plugin: plugin.into(),
        pool: "credential".into(),
        method: "GET".parse().unwrap(),
        url: format!("http://h{host}.example.com/").parse().unwrap(),
        headers: Default::default(),
        body: None,
        private_addresses: false,
        response_limit: 1024,
        sent: SentMark::default(),
    };
    transport.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_hosts_leave_few_connections_open_and_after_the_idle_time_none() {
    let (server, port) = Server::start(Duration::ZERO);
    let limits =
        ConnectionLimits { idle_time: Duration::from_millis(400), ..ConnectionLimits::default() };
    let transport = mapped(&format!("http://127.0.0.1:{port}"), 200).limits(limits);
    let transport = transport.build().unwrap();
    for host in 0..200 {
        get(&transport, "plugin", host).await.unwrap();
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 200);
    let open = server.open_once_at_most(23).await;
    assert!(open < 24, "{open} connections are open");
    // Nothing more is sent.
    let open = server.open_once_at_most(0).await;
    assert_eq!(open, 0, "idle connections stay open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_again_by_the_same_plugin_alone() {
    let (server, port) = Server::start(Duration::ZERO);
    let transport = mapped(&format!("http://127.0.0.1:{port}"), 1).build().unwrap();
    for _ in 0..5 {
        get(&transport, "plugin", 0).await.unwrap();
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
    get(&transport, "another", 0).await.unwrap();
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_beyond_its_connections_waits_and_another_does_not() {
    let (server, port) = Server::start(Duration::from_millis(300));
    let limits = ConnectionLimits { open: 12, open_per_plugin: 8, ..ConnectionLimits::default() };
    let transport = mapped(&format!("http://127.0.0.1:{port}"), 40).limits(limits);
    let transport = Arc::new(transport.build().unwrap());
    let greedy: Vec<_> = (0..40)
        .map(|host| {
            let transport = transport.clone();
            tokio::spawn(async move { get(&transport, "greedy", host).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(server.open() <= 8, "{} connections are open", server.open());
    let started = Instant::now();
    get(&transport, "another", 0).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // Idle connections make room: all of them get their turn.
    for request in greedy {
        request.await.unwrap().unwrap();
    }
    assert!(server.open() <= 12, "{} connections are open", server.open());
}

/// Looks `hangs.test` up for a very long time, on a blocking thread as resolvers do.
struct Hanging;

#[async_trait]
impl Resolver for Hanging {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if host.starts_with("hangs") {
            let hanging =
                tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(600)));
            hanging.await.map_err(io::Error::other)?;
        }
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

#[test]
fn look_ups_that_hang_fill_neither_the_blocking_threads_nor_the_turns_of_others() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_server, port) = Server::start(Duration::ZERO);
        let transport = mapped("http://hangs.test", 600)
            .connect_to(format!("http://good.example.com=http://good.test:{port}").parse().unwrap())
            .resolver(Arc::new(Hanging))
            .build()
            .unwrap();
        let transport = Arc::new(transport);
        for host in 0..600 {
            let transport = transport.clone();
            tokio::spawn(async move {
                let request = get(&transport, "greedy", host);
                // The deadline of the execution has long passed.
                tokio::time::timeout(Duration::from_millis(100), request).await.is_ok()
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let file = tokio::time::timeout(Duration::from_secs(2), tokio::fs::metadata("/"));
        file.await.expect("a file is read meanwhile").unwrap();
        let request = TransportRequest {
            plugin: "another".into(),
            pool: String::new(),
            method: "GET".parse().unwrap(),
            url: "http://good.example.com/".parse().unwrap(),
            headers: Default::default(),
            body: None,
            private_addresses: false,
            response_limit: 1024,
            sent: SentMark::default(),
        };
        let sent = tokio::time::timeout(Duration::from_secs(2), transport.send(request));
        sent.await.expect("another plugin's name is looked up meanwhile").unwrap();
        // The plugin receives the reason.
        let error = get(&transport, "greedy", 0).await.unwrap_err().to_string();
        assert!(error.contains("too many DNS lookups of this plugin"), "{error}");
        assert!(error.contains("lookups_per_plugin"), "{error}");
    });
    runtime.shutdown_background();
}

#[test]
fn the_systems_resolver_needs_none_of_the_runtimes_blocking_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(600)));
        let lookup = SystemResolver.resolve("localhost");
        let found = tokio::time::timeout(Duration::from_secs(10), lookup).await;
        let found = found.expect("it does not wait for a blocking thread").unwrap();
        // From the hosts file.
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
    });
    runtime.shutdown_background();
}
