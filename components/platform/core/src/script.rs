//! A script for Redis, with the digest it is called by.

/// A script and the SHA-1 of its text in hexadecimal: the name by which a server that has seen it runs it.
/// The digest is made when the program is compiled, so that no text meets the digest of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    text: &'static str,
    sha1: [u8; 40],
}

impl Script {
    /// A script of this text.
    pub const fn new(text: &'static str) -> Self {
        Self { text, sha1: hex(sha1(text.as_bytes())) }
    }

    /// Its text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The SHA-1 of its text in hexadecimal.
    pub fn sha1(&self) -> &str {
        std::str::from_utf8(&self.sha1).unwrap_or_default()
    }
}

/// SHA-1 (FIPS 180-4). No secret depends on it: it is the name Redis gives a script. Constant evaluation
/// allows neither iterators nor `get`; an index out of bounds would be a compile error.
#[allow(clippy::indexing_slicing)]
const fn sha1(message: &[u8]) -> [u32; 5] {
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let bits = message.len() as u64 * 8;
    let blocks = (message.len() + 9).div_ceil(64);
    let mut block = 0;
    while block < blocks {
        let mut words = [0_u32; 80];
        let mut index = 0;
        while index < 64 {
            let position = block * 64 + index;
            let byte = if position < message.len() {
                message[position]
            } else if position == message.len() {
                0x80
            } else if position >= blocks * 64 - 8 {
                (bits >> (8 * (blocks * 64 - 1 - position))) as u8
            } else {
                0
            };
            words[index / 4] |= (byte as u32) << (24 - 8 * (index % 4));
            index += 1;
        }
        let mut at = 16;
        while at < 80 {
            words[at] = (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
            at += 1;
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        let mut round = 0;
        while round < 80 {
            let (mixed, constant) = match round / 20 {
                0 => ((b & c) | (!b & d), 0x5A82_7999),
                1 => (b ^ c ^ d, 0x6ED9_EBA1),
                2 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(words[round]);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
            round += 1;
        }
        state = [
            state[0].wrapping_add(a),
            state[1].wrapping_add(b),
            state[2].wrapping_add(c),
            state[3].wrapping_add(d),
            state[4].wrapping_add(e),
        ];
        block += 1;
    }
    state
}

#[allow(clippy::indexing_slicing)]
const fn hex(words: [u32; 5]) -> [u8; 40] {
    let mut text = [0; 40];
    let mut index = 0;
    while index < 40 {
        text[index] = b"0123456789abcdef"[(words[index / 8] >> (28 - 4 * (index % 8)) & 15) as usize];
        index += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_1() {
        for (text, digest) in [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
        ] {
            assert_eq!(Script::new(text).sha1(), digest);
        }
    }
}
