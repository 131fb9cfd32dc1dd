//! Segments of the index, mapped from files.

/// The first bytes of a mapped segment.
#[repr(C)]
pub struct SegmentHeader {
    magic: u64,
    document_count: u32,
}

/// A segment in memory; the address is null after the segment has been unmapped.
pub struct Segment {
    header: *const SegmentHeader,
}

impl Segment {
    /// How many documents the segment holds. Must not be called once it is unmapped.
    #[inline(never)]
    pub fn document_count(&self) -> u32 {
        // SAFETY: none. This is the defect that the sample shows: nobody checked that the segment is still mapped.
        unsafe { (*self.header).document_count }
    }

    /// Give the memory back.
    fn unmap(&mut self) {
        self.header = std::ptr::null();
    }
}

/// Count the documents of a segment that a merge has just unmapped: reads through a null pointer.
#[inline(never)]
pub fn count_after_merge() {
    let header = SegmentHeader { magic: 0x4c41_524b, document_count: 7 };
    std::hint::black_box(header.magic);
    let mut segment = Segment { header: &header };
    std::hint::black_box(segment.document_count());
    segment.unmap();
    std::hint::black_box(std::hint::black_box(&segment).document_count());
}
