use super::*;

const OWNER: (u32, u32) = (0, 0);

fn disk() -> Disk {
    Disk::new(OWNER)
}

fn file(disk: &mut Disk, name: &str, bytes: &[u8]) -> u64 {
    let inode = disk.create(ROOT, name.as_ref(), Kind::Files, 0o600, OWNER);
    let inode = inode.unwrap();
    write(disk, inode, 0, bytes);
    inode
}

fn write(disk: &mut Disk, inode: u64, offset: u64, bytes: &[u8]) {
    let data = bytes.to_vec();
    disk.change(inode, Change::Write { offset, data }).unwrap();
}

fn sync(disk: &mut Disk, inode: u64) {
    disk.sync(inode, disk.now());
}

fn bytes(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    let inode = disk.lookup(ROOT, name.as_ref()).ok()?;
    disk.read(inode, 0, u64::MAX).ok()
}

fn fates() -> impl Iterator<Item = (&'static str, u64)> {
    Fate::ALL
        .into_iter()
        .flat_map(|(fate, _)| (0..50).map(move |seed| (fate, seed)))
}

#[test]
fn what_was_synced_outlives_every_fate() {
    for (fate, seed) in fates() {
        let mut disk = disk();
        let inode = file(&mut disk, "kept", &[7; 10_000]);
        sync(&mut disk, inode);
        sync(&mut disk, ROOT);
        write(&mut disk, inode, 9_000, &[8; 10_000]);
        file(&mut disk, "other", b"unsynced");
        disk.lose(seed, Some(fate));
        let found = bytes(&disk, "kept").unwrap();
        assert_eq!(found[..9_000], [7; 9_000], "{fate} {seed}");
        assert!(
            found[9_000..10_000]
                .iter()
                .all(|byte| [7, 8].contains(byte))
        );
    }
}

#[test]
fn a_name_lasts_by_the_sync_of_its_folder_and_bytes_by_that_of_their_file() {
    let mut disk = disk();
    let without_name = file(&mut disk, "without-name", b"bytes");
    sync(&mut disk, without_name);
    disk.lose(0, Some("lost"));
    assert_eq!(bytes(&disk, "without-name"), None);
    file(&mut disk, "without-bytes", b"bytes");
    sync(&mut disk, ROOT);
    disk.lose(0, Some("lost"));
    assert_eq!(bytes(&disk, "without-bytes"), Some(Vec::new()));
}

#[test]
fn a_sync_holds_for_what_was_there_when_it_began() {
    let mut disk = disk();
    let inode = file(&mut disk, "file", b"before");
    sync(&mut disk, ROOT);
    let begun = disk.now();
    write(&mut disk, inode, 0, b"behind");
    disk.sync(inode, begun);
    assert_eq!(bytes(&disk, "file").unwrap(), b"behind");
    disk.lose(0, Some("lost"));
    assert_eq!(bytes(&disk, "file").unwrap(), b"before");
}

#[test]
fn a_rename_happens_at_once_or_not_at_all() {
    let mut seen = BTreeSet::new();
    for (fate, seed) in fates() {
        let mut disk = disk();
        let inode = file(&mut disk, "old", b"bytes");
        let folder = disk.create(ROOT, "folder".as_ref(), Kind::Folders, 0o700, OWNER);
        let folder = folder.unwrap();
        sync(&mut disk, inode);
        sync(&mut disk, ROOT);
        let (from, to) = ((ROOT, "old".as_ref()), (folder, "new".as_ref()));
        disk.rename(from, to, true).unwrap();
        disk.lose(seed, Some(fate));
        let old = disk.lookup(ROOT, "old".as_ref()).is_ok();
        let new = disk.lookup(folder, "new".as_ref()).is_ok();
        assert!(old != new, "{fate} {seed}");
        seen.insert(old);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_name_that_was_moved_over_is_not_brought_back_by_a_later_sync() {
    let mut disk = disk();
    let folder = disk.create(ROOT, "folder".as_ref(), Kind::Folders, 0o700, OWNER);
    let folder = folder.unwrap();
    file(&mut disk, "name", b"over it");
    disk.create(folder, "name".as_ref(), Kind::Files, 0o600, OWNER)
        .unwrap();
    let moved = disk.lookup(ROOT, "name".as_ref()).unwrap();
    let (from, to) = ((ROOT, "name".as_ref()), (folder, "name".as_ref()));
    disk.rename(from, to, true).unwrap();
    sync(&mut disk, ROOT);
    sync(&mut disk, folder);
    disk.lose(0, Some("lost"));
    assert_eq!(disk.lookup(folder, "name".as_ref()).unwrap(), moved);
}

#[test]
fn a_write_tears_where_sectors_meet() {
    let mut mixed = false;
    for seed in 0..50 {
        let mut disk = disk();
        let inode = file(&mut disk, "file", &[1; 8192]);
        sync(&mut disk, inode);
        sync(&mut disk, ROOT);
        write(&mut disk, inode, 100, &[2; 8000]);
        disk.lose(seed, Some("torn"));
        let found = bytes(&disk, "file").unwrap();
        assert_eq!(
            (&found[..100], &found[8100..]),
            (&[1; 100][..], &[1; 92][..])
        );
        for sector in found[512..7680].chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
        mixed |= found[100..8100].contains(&1) && found[100..8100].contains(&2);
    }
    assert!(mixed);
}

#[test]
fn a_seed_says_what_is_lost() {
    let found = |seed| {
        let mut disk = disk();
        let inode = file(&mut disk, "file", &vec![1; 50_000]);
        sync(&mut disk, ROOT);
        write(&mut disk, inode, 20_000, &vec![2; 50_000]);
        let cut = disk.lose(seed, None);
        (cut.fate, cut.lost, bytes(&disk, "file"))
    };
    let all: BTreeSet<_> = (0..50).map(found).collect();
    assert_eq!(all, (0..50).map(found).collect());
    assert!(all.len() > 10);
}

#[test]
fn a_hole_is_zeros_and_room_that_was_set_aside_is_taken() {
    let mut disk = disk();
    let inode = file(&mut disk, "file", &vec![1; 20_000]);
    let (offset, end) = (5_000, 13_000);
    disk.change(inode, Change::Punch { offset, end }).unwrap();
    let found = bytes(&disk, "file").unwrap();
    let expected = [vec![1; 5_000], vec![0; 8_000], vec![1; 7_000]].concat();
    assert_eq!(found, expected);
    assert_eq!(disk.used_pages(), 4);
    disk.change(inode, Change::Resize(6_000)).unwrap();
    disk.change(inode, Change::Resize(20_000)).unwrap();
    let found = bytes(&disk, "file").unwrap();
    assert_eq!(found, [vec![1; 5_000], vec![0; 15_000]].concat());
    let change = Change::Allocate {
        offset: 0,
        end: 1 << 20,
        keeps_size: false,
    };
    disk.change(inode, change).unwrap();
    assert_eq!(disk.used_pages(), 256);
    assert_eq!(disk.attributes(inode).unwrap().size, 1 << 20);
}
