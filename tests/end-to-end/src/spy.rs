//! Guests' memories, to be searched: linear memories that can be read after the guest is gone, or
//! all that a worker process holds.

#![allow(unsafe_code)] // wasmtime's traits for host memories are unsafe to implement.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};
use workflow_node_host::{Host, HostBuilder};

/// Room of one memory: more than any limit in these tests, so that none ever moves.
const CAPACITY: usize = 80 << 20;

/// Zeroed bytes that never move; only what is touched costs memory.
struct Room {
    bytes: *mut u8,
    size: AtomicUsize,
}

impl Room {
    fn new(size: usize) -> Self {
        let bytes = Box::into_raw(vec![0_u8; CAPACITY].into_boxed_slice()).cast();
        Self { bytes, size: AtomicUsize::new(size) }
    }

    fn read(&self) -> Vec<u8> {
        // SAFETY: the bytes live as long as the room, and the test reads them when the guest
        // that wrote them is gone.
        unsafe { std::slice::from_raw_parts(self.bytes, self.size.load(Ordering::SeqCst)) }.to_vec()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let bytes = std::ptr::slice_from_raw_parts_mut(self.bytes, CAPACITY);
        // SAFETY: this is the box that `new` has taken apart.
        drop(unsafe { Box::from_raw(bytes) });
    }
}

// SAFETY: a room is written by its guest alone and read when that is gone.
unsafe impl Send for Room {}
// SAFETY: as above.
unsafe impl Sync for Room {}

struct Memory(Arc<Room>);

// SAFETY: the room never moves, lives as long as the memory, and is larger than any size that
// `grow_to` accepts. The engine uses no guard pages when it is given a creator.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.0.size.load(Ordering::SeqCst)
    }
    fn byte_capacity(&self) -> usize {
        CAPACITY
    }
    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > CAPACITY {
            wasmtime::bail!("the room is full");
        }
        self.0.size.store(new_size, Ordering::SeqCst);
        Ok(())
    }
    fn as_ptr(&self) -> *mut u8 {
        self.0.bytes
    }
}

/// Makes memories and remembers them all, or reads those of worker processes.
#[derive(Default)]
pub struct Spy {
    rooms: Mutex<Vec<Arc<Room>>>,
    host: OnceLock<Host>,
}

// SAFETY: see `Memory`.
unsafe impl MemoryCreator for Spy {
    fn new_memory(
        &self,
        _type: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        _reserved: Option<usize>,
        _guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let room = Arc::new(Room::new(minimum));
        self.rooms.lock().expect("nobody panics with it").push(room.clone());
        Ok(Box::new(Memory(room)))
    }
}

impl Spy {
    /// Lets a host show the memories of its guests.
    pub fn watch(self: &Arc<Self>, builder: HostBuilder) -> HostBuilder {
        if crate::is_isolated() { builder } else { builder.memory_creator(self.clone()) }
    }

    /// The host whose workers are read, where guests run in workers.
    pub fn attach(&self, host: &Host) {
        assert!(self.host.set(host.clone()).is_ok(), "a spy watches one host");
    }

    /// The bytes of every memory that was made since the last time, which are then forgotten; of
    /// every worker, where guests run in workers.
    pub fn take(&self) -> Vec<Vec<u8>> {
        if crate::is_isolated() {
            return self.memories();
        }
        let rooms = std::mem::take(&mut *self.rooms.lock().expect("nobody panics with it"));
        rooms.iter().map(|room| room.read()).collect()
    }

    /// The bytes of every memory that was ever made; of every worker, where guests run in workers.
    pub fn memories(&self) -> Vec<Vec<u8>> {
        if crate::is_isolated() {
            let host = self.host.get().expect("a host is attached");
            return host.worker_processes().into_iter().filter_map(read_process).collect();
        }
        self.rooms.lock().expect("nobody panics with it").iter().map(|room| room.read()).collect()
    }
}

/// All memory of a process that it could have written: its heap, its stacks, the memories of its
/// guests. What is mapped from files and cannot be written holds nothing that was not in the file.
/// `None` when the process has ended.
pub fn read_process(process: u32) -> Option<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let memory = std::fs::File::open(format!("/proc/{process}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, permissions) = (words.next()?, words.next()?);
        let path = words.nth(3).unwrap_or_default();
        let is_from_file = path.starts_with('/') && !permissions.contains('w');
        if !permissions.starts_with('r') || is_from_file || path.starts_with("[v") {
            continue;
        }
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|one| u64::from_str_radix(one, 16).unwrap_or(0));
        let at = all.len();
        all.resize(at + usize::try_from(end - start).ok()?, 0);
        // A mapping that has gone meanwhile reads as nothing.
        let read = std::os::unix::fs::FileExt::read_at(&memory, &mut all[at..], start);
        all.truncate(at + read.unwrap_or(0));
    }
    Some(all)
}
