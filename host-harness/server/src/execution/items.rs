//! The items of an execution: in memory, or in a temporary file that nobody else can open.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use futures_util::Stream;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tempfile::SpooledTempFile;
use tokio::sync::mpsc;
use workflow_node_host::journal::Recording;

/// Items that were read but have not run.
const AHEAD: usize = 64;

/// Items, and the fingerprint of the whole call.
pub(crate) struct Items {
    source: Source,
    pub(crate) count: u64,
    /// Changes each item before it runs.
    fill: Option<Fill>,
}

/// Changes an item before it runs.
pub(crate) type Fill = Arc<dyn Fn(&mut Value) + Send + Sync>;

enum Source {
    List(Vec<Value>),
    File(SpooledTempFile),
}

impl Items {
    pub(crate) fn list(items: Vec<Value>) -> Self {
        let count = items.len() as u64;
        Self { source: Source::List(items), count, fill: None }
    }

    /// Changes each item before it runs. The items that are checked and stored do not change.
    pub(crate) fn filled(mut self, fill: Fill) -> Self {
        self.fill = Some(fill);
        self
    }

    /// The items one by one. A file is read on a separate thread.
    pub(crate) fn stream(self) -> impl Stream<Item = std::io::Result<Value>> + Send + 'static {
        let (sender, receiver) = mpsc::channel(AHEAD);
        match self.source {
            Source::List(items) => {
                tokio::spawn(async move {
                    for item in items {
                        if sender.send(Ok(item)).await.is_err() {
                            break;
                        }
                    }
                });
            }
            Source::File(file) => {
                tokio::task::spawn_blocking(move || {
                    for item in lines(file) {
                        let has_failed = item.is_err();
                        if sender.blocking_send(item).is_err() || has_failed {
                            break;
                        }
                    }
                });
            }
        }
        let fill = self.fill;
        futures_util::stream::unfold((receiver, fill), |(mut receiver, fill)| async move {
            let mut item = receiver.recv().await?;
            if let (Ok(item), Some(fill)) = (&mut item, &fill) {
                fill(item);
            }
            Some((item, (receiver, fill)))
        })
    }

    /// Whether the first items are the ones that an execution has recorded. Blocks.
    pub(crate) fn match_recorded(&mut self, recording: &Recording) -> std::io::Result<bool> {
        let (recorded, fill) = (recording.items(), self.fill.clone());
        let (mut seen, mut is_same) = (0, true);
        self.check(|first, portion| {
            for (index, item) in (first..recorded).zip(portion) {
                let mut item = std::borrow::Cow::Borrowed(item);
                if let Some(fill) = &fill {
                    fill(item.to_mut());
                }
                is_same &= recording.matches_item(index, &item).is_ok();
                seen += 1;
            }
            Ok::<_, std::io::Error>(())
        })?;
        Ok(is_same && seen == recorded)
    }

    /// Calls `check` with portions of the items until it returns an error. Blocks.
    pub(crate) fn check<E: From<std::io::Error>>(
        &mut self,
        mut check: impl FnMut(usize, &[Value]) -> Result<(), E>,
    ) -> Result<(), E> {
        const PORTION: usize = 256;
        let file = match &mut self.source {
            Source::List(items) => {
                let mut first = 0;
                for portion in items.chunks(PORTION) {
                    check(first, portion)?;
                    first += portion.len();
                }
                return Ok(());
            }
            Source::File(file) => file,
        };
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&mut *file);
        let (mut first, mut text) = (0, String::new());
        loop {
            let mut portion = Vec::new();
            while portion.len() < PORTION {
                text.clear();
                if reader.read_line(&mut text)? == 0 {
                    break;
                }
                portion.push(serde_json::from_str(&text).map_err(std::io::Error::from)?);
            }
            if portion.is_empty() {
                return Ok(());
            }
            check(first, &portion)?;
            first += portion.len();
        }
    }
}

fn lines(mut file: SpooledTempFile) -> impl Iterator<Item = std::io::Result<Value>> {
    let rewound = file.seek(SeekFrom::Start(0)).err().map(Err);
    let lines = BufReader::new(file.take(u64::MAX)).lines();
    let items = lines.map(|line| serde_json::from_str(&line?).map_err(std::io::Error::from));
    rewound.into_iter().chain(items)
}

/// Collects items that arrive one by one.
pub(crate) struct Spool {
    file: SpooledTempFile,
    count: u64,
}

impl Spool {
    /// `memory`: number of bytes that are kept in memory.
    pub(crate) fn new(memory: usize) -> Self {
        Self { file: SpooledTempFile::new(memory), count: 0 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, item: &Map<String, Value>) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.file, item)?;
        self.file.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    pub(crate) fn end(self) -> Items {
        Items { source: Source::File(self.file), count: self.count, fill: None }
    }
}

/// A digest of JSON that does not depend on the order of members or on white space.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds text with its length, so that different sequences of texts never have the same digest.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn object(&mut self, object: &Map<String, Value>) {
        self.0.update(b"{");
        let mut members: Vec<(&String, &Value)> = object.iter().collect();
        members.sort_by_key(|(name, _)| *name);
        for (name, value) in members {
            self.text(name);
            self.value(value);
        }
        self.0.update(b"}");
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(object) => self.object(object),
            Value::Array(list) => {
                self.0.update(b"[");
                list.iter().for_each(|value| self.value(value));
                self.0.update(b"]");
            }
            Value::String(text) => {
                self.0.update(b"\"");
                self.text(text);
            }
            scalar => {
                self.0.update(b".");
                self.text(&scalar.to_string());
            }
        }
    }

    pub(crate) fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use serde_json::json;

    use super::*;

    fn fingerprint(value: &Value) -> [u8; 32] {
        let mut fingerprint = Fingerprint::new();
        fingerprint.value(value);
        fingerprint.end()
    }

    #[test]
    fn a_fingerprint_depends_on_values_and_not_on_how_they_are_written() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = fingerprint(&parse(r#"{"a": 1, "b": [true, null]}"#));
        assert_eq!(one, fingerprint(&parse(r#"{"b":[true,null],"a":1}"#)));
        for other in [
            r#"{"a": 2, "b": [true, null]}"#,
            r#"{"a": 1, "b": [[true], null]}"#,
            r#"{"a": 1, "b": [null, true]}"#,
            r#"{"a": "1", "b": [true, null]}"#,
            r#"{"a": 1}"#,
        ] {
            assert_ne!(one, fingerprint(&parse(other)), "{other}");
        }
        assert_ne!(fingerprint(&json!(["ab", "c"])), fingerprint(&json!(["a", "bc"])));
    }

    #[tokio::test]
    async fn spooled_items_equal_the_pushed_ones() {
        for memory in [0, 1_000_000] {
            let mut spool = Spool::new(memory);
            for number in 0..600 {
                spool.push(json!({"n": number, "s": "a\nb"}).as_object().unwrap()).unwrap();
            }
            let mut items = spool.end();
            let mut seen = 0;
            items
                .check(|first, portion| {
                    assert_eq!(first, seen);
                    seen += portion.len();
                    Ok::<_, std::io::Error>(())
                })
                .unwrap();
            assert_eq!((seen, items.count), (600, 600));
            let all: Vec<Value> = items.stream().map(Result::unwrap).collect().await;
            assert_eq!(all.len(), 600);
            assert_eq!(all[599], json!({"n": 599, "s": "a\nb"}));
        }
    }
}
