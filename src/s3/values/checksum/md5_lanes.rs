//! The MD5 of several bodies at once, each in a lane of the processor's vectors (RFC 1321).
//!
//! Each step of MD5 waits for the step before it, so one body leaves most of a processor idle. Different bodies do not wait
//! for each other: as many as a vector has 32-bit lanes (4, 8 or 16, found at run time) take hardly longer than one. A lane
//! whose body has ended takes the next body. For one body the crate `md-5` is faster.

use fearless_simd::{Level, dispatch, prelude::*, u8x16, u32x4};

/// Bytes of a block.
const BLOCK: usize = 64;
/// Words are read as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));
/// No vector has more lanes.
const MOST_LANES: usize = 16;

/// The state before the first block.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// `floor(2^32 × |sin(i + 1)|)` for step `i`.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// The MD5 of each of these bodies, in their order.
#[must_use]
pub(super) fn md5_of_each(bodies: &[&[u8]]) -> Vec<[u8; 16]> {
    md5_with(Level::new(), bodies)
}

fn md5_with(level: Level, bodies: &[&[u8]]) -> Vec<[u8; 16]> {
    dispatch!(level, simd => in_lanes(simd, bodies))
}

/// The rest of a body: whole blocks, then the end with the padding.
struct Lane<'b> {
    body: usize,
    whole: &'b [[u8; BLOCK]],
    end: [[u8; BLOCK]; 2],
    /// Blocks of the end that are not added yet; they lie at the end of `end`.
    end_left: usize,
}

impl<'b> Lane<'b> {
    fn of(index: usize, body: &'b [u8]) -> Self {
        let (whole, rest) = body.as_chunks::<BLOCK>();
        let mut end = [[0; BLOCK]; 2];
        let bits = (body.len() as u64).wrapping_mul(8).to_le_bytes();
        end[0][..rest.len()].copy_from_slice(rest);
        end[0][rest.len()] = 0x80;
        let blocks = if rest.len() < BLOCK - bits.len() {
            1
        } else {
            2
        };
        end[blocks - 1][BLOCK - bits.len()..].copy_from_slice(&bits);
        if blocks == 1 {
            end.swap(0, 1);
        }
        Self {
            body: index,
            whole,
            end,
            end_left: blocks,
        }
    }

    /// How many blocks can be read in one piece.
    fn run(&self) -> usize {
        if self.whole.is_empty() {
            self.end_left
        } else {
            self.whole.len()
        }
    }

    fn advance(&mut self, count: usize) {
        if self.whole.is_empty() {
            self.end_left -= count;
        } else {
            self.whole = &self.whole[count..];
        }
    }

    fn blocks(&self) -> &[[u8; BLOCK]] {
        if self.whole.is_empty() {
            &self.end[2 - self.end_left..]
        } else {
            self.whole
        }
    }
}

#[expect(
    clippy::inline_always,
    reason = "the code of each width is compiled into the function that has that width's instructions"
)]
#[inline(always)]
fn in_lanes<S: Simd>(simd: S, bodies: &[&[u8]]) -> Vec<[u8; 16]> {
    let width = S::u32s::N;
    let mut digests = vec![[0; 16]; bodies.len()];
    let mut next = bodies.iter().copied().enumerate();
    let mut lanes: [Option<Lane>; MOST_LANES] = [const { None }; MOST_LANES];
    // Word by word, each with a place for every lane.
    let mut state = [[0_u32; MOST_LANES]; 4];
    loop {
        for (at, lane) in lanes[..width].iter_mut().enumerate() {
            if lane.is_none()
                && let Some((index, body)) = next.next()
            {
                *lane = Some(Lane::of(index, body));
                for (word, start) in state.iter_mut().zip(START) {
                    word[at] = start;
                }
            }
        }
        let Some(run) = lanes.iter().flatten().map(Lane::run).min() else {
            return digests;
        };
        // A lane without a body gets another lane's blocks; its result is not used.
        let any = lanes
            .iter()
            .flatten()
            .next()
            .map_or(&[] as &[_], Lane::blocks);
        let mut blocks = [any; MOST_LANES];
        for (blocks, lane) in blocks.iter_mut().zip(&lanes) {
            if let Some(lane) = lane {
                *blocks = lane.blocks();
            }
        }
        compress(simd, &mut state, &blocks, run);
        for (at, slot) in lanes[..width].iter_mut().enumerate() {
            if let Some(lane) = slot {
                lane.advance(run);
                if lane.run() == 0 {
                    let digest = &mut digests[lane.body];
                    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(&state) {
                        *bytes = word[at].to_le_bytes();
                    }
                    *slot = None;
                }
            }
        }
    }
}

/// Adds the first `run` blocks of each lane to its state.
#[expect(clippy::many_single_char_names, reason = "the names of RFC 1321")]
#[expect(clippy::needless_range_loop, reason = "all lanes move on by one block")]
#[expect(
    clippy::inline_always,
    reason = "the code of each width is compiled into the function that has that width's instructions"
)]
#[inline(always)]
fn compress<S: Simd>(
    simd: S,
    state: &mut [[u32; MOST_LANES]; 4],
    blocks: &[&[[u8; BLOCK]]; MOST_LANES],
    run: usize,
) {
    let width = S::u32s::N;
    let blocks: [&[[u8; BLOCK]]; MOST_LANES] = blocks.map(|blocks| &blocks[..run]);
    let [mut a, mut b, mut c, mut d] = state.map(|word| S::u32s::from_slice(simd, &word[..width]));
    for at in 0..run {
        let mut words = [[0_u32; MOST_LANES]; 16];
        // Lanes lie beside each other, words behind each other: four of each are transposed at a time.
        for first in (0..width).step_by(4) {
            for quarter in 0..4 {
                let row = |lane: usize| {
                    let bytes: &[u8] = &blocks[first + lane][at][16 * quarter..16 * quarter + 16];
                    u8x16::from_slice(simd, bytes).bitcast::<u32x4<S>>()
                };
                let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
                let (even_low, even_high) = r0.interleave(r2);
                let (odd_low, odd_high) = r1.interleave(r3);
                let (w0, w1) = even_low.interleave(odd_low);
                let (w2, w3) = even_high.interleave(odd_high);
                for (word, column) in [w0, w1, w2, w3].into_iter().enumerate() {
                    column.store_slice(&mut words[4 * quarter + word][first..first + 4]);
                }
            }
        }
        let words = words.map(|word| S::u32s::from_slice(simd, &word[..width]));
        let before = (a, b, c, d);
        macro_rules! step {
            ($mix:expr, $a:ident, $b:ident, $c:ident, $d:ident, $word:expr, $step:expr, $turn:literal) => {{
                let mix: S::u32s = $mix($b, $c, $d);
                let sum = $a + mix + words[$word & 15] + S::u32s::splat(simd, SINES[$step]);
                $a = $b + ((sum << $turn) | (sum >> (32 - $turn)));
            }};
        }
        macro_rules! round {
            ($mix:expr, $first:literal, $word:expr, [$one:literal, $two:literal, $three:literal, $four:literal]) => {
                let word = $word;
                for step in (0..16).step_by(4) {
                    step!($mix, a, b, c, d, word(step), $first + step, $one);
                    step!($mix, d, a, b, c, word(step + 1), $first + step + 1, $two);
                    step!($mix, c, d, a, b, word(step + 2), $first + step + 2, $three);
                    step!($mix, b, c, d, a, word(step + 3), $first + step + 3, $four);
                }
            };
        }
        let f = |x: S::u32s, y: S::u32s, z: S::u32s| z ^ (x & (y ^ z));
        let g = |x: S::u32s, y: S::u32s, z: S::u32s| y ^ (z & (x ^ y));
        let h = |x: S::u32s, y: S::u32s, z: S::u32s| x ^ y ^ z;
        let i = |x: S::u32s, y: S::u32s, z: S::u32s| y ^ (x | !z);
        round!(f, 0, |step: usize| step, [7, 12, 17, 22]);
        round!(g, 16, |step: usize| 5 * step + 1, [5, 9, 14, 20]);
        round!(h, 32, |step: usize| 3 * step + 5, [4, 11, 16, 23]);
        round!(i, 48, |step: usize| 7 * step, [6, 10, 15, 21]);
        (a, b, c, d) = (a + before.0, b + before.1, c + before.2, d + before.3);
    }
    for (word, vector) in state.iter_mut().zip([a, b, c, d]) {
        vector.store_slice(&mut word[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::values::checksum::tests::many_bodies;
    use md5::{Digest, Md5};
    use proptest::prelude::*;

    /// Each width that this processor has.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        let mut levels = vec![best, Level::baseline()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(best.as_avx2().map(Level::Avx2));
            levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        }
        levels
    }

    /// Of another implementation.
    fn one_by_one(bodies: &[&[u8]]) -> Vec<[u8; 16]> {
        bodies.iter().map(|body| Md5::digest(body).into()).collect()
    }

    #[test]
    fn each_length_around_the_ends_of_blocks_is_padded_right_in_each_lane() {
        let bytes: Vec<u8> = (0..=255).cycle().take(200).collect();
        for level in levels() {
            for count in 1..=17 {
                for length in 0..=bytes.len() {
                    let bodies: Vec<&[u8]> = (0..count)
                        .map(|body| &bytes[..(length + 7 * body) % (bytes.len() + 1)])
                        .collect();
                    assert_eq!(md5_with(level, &bodies), one_by_one(&bodies), "{level:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_md5_of_each_of_many_bodies_is_that_of_it_alone(
            bodies in many_bodies(),
        ) {
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            for level in levels() {
                prop_assert_eq!(md5_with(level, &bodies), one_by_one(&bodies), "{:?}", level);
            }
        }
    }
}
