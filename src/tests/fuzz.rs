//! Laws that hold of any input at all, for each parser that faces the net or the disk.
//!
//! A target is a test in a module `fuzz` beside its parser: it gives [`check`] a law, which panics where it does not
//! hold. `cargo test` holds the law to the seeds in `tests/fuzz/corpus` and to mutations of them; `tests/fuzz/run` has
//! libFuzzer look for inputs, guided by what they reach.

/// Holds `law` to many inputs. `module`: the `module_path!()` of the target, which names the folder of its seeds.
#[cfg(feature = "fuzz")]
pub(crate) fn check(_module: &str, law: fn(&[u8])) {
    fuzz_engine::run(law);
}

/// Holds `law` to many inputs. `module`: the `module_path!()` of the target, which names the folder of its seeds.
#[cfg(not(feature = "fuzz"))]
pub(crate) fn check(module: &str, law: fn(&[u8])) {
    short::check(module, law);
}

/// The places where an input is cut into pieces: any, but always the same for the same input.
pub(crate) fn cuts(input: &[u8]) -> Vec<usize> {
    let mut state = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut cuts: Vec<usize> = (0..6)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            usize::try_from((state >> 33) % (input.len() as u64 + 1)).unwrap()
        })
        .collect();
    cuts.sort_unstable();
    cuts
}

/// An input between its cuts.
pub(crate) fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let cuts = cuts(input);
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([input.len()]);
    starts
        .zip(ends)
        .map(|(start, end)| &input[start..end])
        .collect()
}

/// An input of two: its first line, and all that follows.
pub(crate) fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[]),
    }
}

#[cfg(not(feature = "fuzz"))]
mod short {
    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::{Config, TestRunner};
    use std::fmt;
    use std::path::{Path, PathBuf};

    const CASES: u32 = 1000;

    pub(super) fn check(module: &str, law: fn(&[u8])) {
        let seeds = seeds(&folder(module));
        for seed in &seeds {
            law(seed);
        }
        let mut runner = TestRunner::new(Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        });
        let outcome = runner.run(&mutations(seeds), |input| {
            law(&input.0);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    }

    /// Of `hangar::s3::form::tests::fuzz`: `tests/fuzz/corpus/s3/form`.
    fn folder(module: &str) -> PathBuf {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let places = module.split("::").skip(1);
        corpus.join(
            places
                .filter(|place| !["tests", "fuzz"].contains(place))
                .collect::<PathBuf>(),
        )
    }

    fn seeds(folder: &Path) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| {
            panic!("{} must hold seeds: {error}", folder.display());
        });
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.is_file());
        paths.sort();
        let seeds: Vec<_> = paths
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        assert!(!seeds.is_empty(), "{} holds no seed", folder.display());
        seeds
    }

    /// Shown as text, whose escapes a seed can be made from.
    #[derive(Clone)]
    struct Input(Vec<u8>);
    impl fmt::Debug for Input {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "b\"{}\"", self.0.escape_ascii())
        }
    }

    /// One change of an input.
    #[derive(Debug, Clone)]
    enum Edit {
        Remove {
            at: Index,
            most: usize,
        },
        Insert {
            at: Index,
            bytes: Vec<u8>,
        },
        Replace {
            at: Index,
            byte: u8,
        },
        /// A piece of another seed, or of the same.
        Splice {
            at: Index,
            of: Index,
            from: Index,
            most: usize,
        },
    }

    fn mutations(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Input> {
        let edit = prop_oneof![
            (any::<Index>(), 1_usize..40).prop_map(|(at, most)| Edit::Remove { at, most }),
            (any::<Index>(), prop::collection::vec(any::<u8>(), 1..5))
                .prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace { at, byte }),
            (any::<Index>(), any::<Index>(), any::<Index>(), 1_usize..200)
                .prop_map(|(at, of, from, most)| Edit::Splice { at, of, from, most }),
        ];
        let mutated =
            (any::<Index>(), prop::collection::vec(edit, 0..6)).prop_map(move |(seed, edits)| {
                let mut input = seed.get(&seeds).clone();
                for edit in edits {
                    edit.apply(&mut input, &seeds);
                }
                Input(input)
            });
        let random = prop::collection::vec(any::<u8>(), 0..64).prop_map(Input);
        prop_oneof![9 => mutated, 1 => random]
    }

    impl Edit {
        fn apply(self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
            let place = |at: Index, input: &[u8]| at.index(input.len() + 1);
            match self {
                Self::Remove { at, most } => {
                    let at = place(at, input);
                    input.drain(at..input.len().min(at + most));
                }
                Self::Insert { at, bytes } => {
                    let at = place(at, input);
                    input.splice(at..at, bytes);
                }
                Self::Replace { at, byte } => {
                    let at = place(at, input);
                    if let Some(replaced) = input.get_mut(at) {
                        *replaced = byte;
                    }
                }
                Self::Splice { at, of, from, most } => {
                    let other = of.get(seeds);
                    let from = place(from, other);
                    let piece = other[from..other.len().min(from + most)].to_vec();
                    let at = place(at, input);
                    input.splice(at..at, piece);
                }
            }
        }
    }
}
