//! Servers of plain HTTP on separate threads, so that a stalled executor does not stall them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder};

/// A request, as a server has read it.
pub(crate) struct Asked {
    pub(crate) head: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// An answer as bytes.
pub(crate) fn answer(headers: &str, body: &[u8]) -> Arc<Vec<u8>> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n");
    Arc::new([head.as_bytes(), body].concat())
}

/// Serves on a port.
pub(crate) fn serve(
    answers: impl Fn(&Asked) -> Arc<Vec<u8>> + Send + Sync + 'static,
) -> HttpTransportBuilder {
    let answers = Arc::new(answers);
    let port = listen(move |stream| {
        let answers = answers.clone();
        // A client that goes ends the thread.
        std::thread::spawn(move || drop(serve_one(stream, &*answers)));
    });
    mapped(port)
}

/// Takes connections and reads nothing.
pub(crate) fn silent() -> HttpTransportBuilder {
    let held = std::sync::Mutex::new(Vec::new());
    mapped(listen(move |stream| held.lock().unwrap().push(stream)))
}

/// Answers `{}` to every request.
pub(crate) fn brief() -> HttpTransportBuilder {
    let wire = answer("", b"{}");
    serve(move |_| wire.clone())
}

fn listen(take: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(take));
    port
}

fn mapped(port: u16) -> HttpTransportBuilder {
    let mapping = format!("http://plain.example.com=http://127.0.0.1:{port}");
    HttpTransport::builder().connect_to(mapping.parse().unwrap())
}

fn serve_one(
    mut stream: TcpStream,
    answers: &dyn Fn(&Asked) -> Arc<Vec<u8>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let mut held = Vec::new();
    let mut room = vec![0; 64 * 1024];
    loop {
        let end = loop {
            if let Some(end) = held.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            let count = stream.read(&mut room)?;
            if count == 0 {
                return Ok(());
            }
            held.extend_from_slice(&room[..count]);
        };
        let head = String::from_utf8_lossy(&held[..end]).into_owned();
        let length = |line: &str| {
            line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
        };
        let length = head.lines().find_map(length).unwrap_or(0);
        while held.len() < end + length {
            let count = stream.read(&mut room)?;
            if count == 0 {
                return Ok(());
            }
            held.extend_from_slice(&room[..count]);
        }
        held.drain(..end + length);
        stream.write_all(&answers(&Asked { head }))?;
    }
}
