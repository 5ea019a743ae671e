//! Tries every network and file access of WASI 0.2, as a language runtime offers it to programs.

use std::fmt::Debug;
use std::fs;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use wasip2::cli::environment;
use wasip2::filesystem::preopens;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingRequest, Scheme};
use workflow_node_sdk::{Map, Value};

/// The result of each attempt: `null` if it had no effect. `address` is one that would respond.
pub(crate) fn outside(item: &Map<String, Value>) -> String {
    let address = item.get("address").and_then(Value::as_str).unwrap_or_default();
    let mut report = Map::new();
    let mut tried = |name: &str, result: Option<String>| {
        report.insert(name.into(), result.into());
    };
    tried("directories", some(preopens::get_directories()));
    tried("working directory", environment::initial_cwd());
    tried("environment", some(environment::get_environment()));
    tried("file", reached(fs::read("/etc/passwd")));
    tried("own process", reached(fs::read("/proc/self/environ")));
    tried("directory", reached(fs::read_dir("/").map(|entries| entries.count())));
    tried("new file", reached(fs::write("escaped", "x")));
    tried("link", reached(fs::hard_link("/etc/passwd", "escaped")));
    tried("TCP", reached(TcpStream::connect(address)));
    tried("TCP listener", reached(TcpListener::bind("127.0.0.1:0")));
    tried("UDP", reached(UdpSocket::bind("127.0.0.1:0")));
    tried("name", reached(("localhost", 80).to_socket_addrs().map(Iterator::count)));
    tried("HTTP", reached(request(address)));
    Value::Object(report).to_string()
}

fn some<T: Debug>(list: Vec<T>) -> Option<String> {
    (!list.is_empty()).then(|| format!("{list:?}"))
}

fn reached<T: Debug, E>(result: Result<T, E>) -> Option<String> {
    result.ok().map(|reached| format!("{reached:?}"))
}

fn request(address: &str) -> Result<u16, String> {
    let request = OutgoingRequest::new(Fields::new());
    let set = |result: Result<(), ()>| result.map_err(|()| "refused".to_owned());
    set(request.set_method(&Method::Get))?;
    set(request.set_scheme(Some(&Scheme::Http)))?;
    set(request.set_authority(Some(address)))?;
    set(request.set_path_with_query(Some("/")))?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        other => Err(format!("{other:?}")),
    }
}

/// Makes the host hold requests that are never sent, each of the maximum size.
pub(crate) fn hoard<T>() -> T {
    loop {
        let fields = Fields::new();
        for name in ["a", "b", "c"] {
            fields.append(name, &vec![b'x'; 1_000]).expect("it is within the limit");
        }
        let request = OutgoingRequest::new(fields);
        if let Ok(body) = request.body() {
            if let Ok(stream) = body.write() {
                while matches!(stream.check_write(), Ok(room) if room > 0) {
                    let room = stream.check_write().unwrap_or_default();
                    if stream.write(&vec![b'x'; usize::try_from(room).unwrap_or(0)]).is_err() {
                        break;
                    }
                }
                std::mem::forget(stream);
            }
            std::mem::forget(body);
        }
        std::mem::forget(request);
    }
}
