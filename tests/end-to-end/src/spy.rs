//! Linear memories that can be read after the guest is gone.

#![allow(unsafe_code)] // wasmtime's traits for host memories are unsafe to implement.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

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

/// Makes memories and remembers them all.
#[derive(Default)]
pub struct Spy(Mutex<Vec<Arc<Room>>>);

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
        self.0.lock().expect("nobody panics with it").push(room.clone());
        Ok(Box::new(Memory(room)))
    }
}

impl Spy {
    /// The bytes of every memory that was made since the last time, which are then forgotten.
    pub fn take(&self) -> Vec<Vec<u8>> {
        let rooms = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        rooms.iter().map(|room| room.read()).collect()
    }

    /// The bytes of every memory that was ever made.
    pub fn memories(&self) -> Vec<Vec<u8>> {
        self.0.lock().expect("nobody panics with it").iter().map(|room| room.read()).collect()
    }
}
