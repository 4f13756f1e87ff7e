use super::*;
use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const LIB: &str = "stages/v1-kernel-only/src/lib.rs";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn zip(path: &Path, make: impl FnOnce(&mut ZipWriter<File>)) -> Submission {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    make(&mut writer);
    writer.finish().unwrap();
    recognise(path).unwrap()
}

fn put(zip: &mut ZipWriter<File>, name: &str, text: &[u8]) {
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(text).unwrap();
}

/// A tar file with entries of any name and type: names are not looked at.
fn tar(path: &Path, entries: &[(&[u8], tar::EntryType, &[u8])]) -> Submission {
    let mut builder = tar::Builder::new(File::create(path).unwrap());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.finish().unwrap();
    recognise(path).unwrap()
}

#[test]
fn folder_zip_tar_and_compressed_tar_give_the_same() {
    let folder = folder();
    let root = folder.path();
    let source = root.join("alice");
    fs::create_dir_all(source.join("stages/v1-kernel-only/src")).unwrap();
    fs::write(source.join(LIB), "fn a() {}").unwrap();
    fs::write(source.join("stages/v1-kernel-only/Cargo.toml"), "evil").unwrap();
    zip(&root.join("b.zip"), |zip| put(zip, LIB, b"fn a() {}"));
    let file = tar::EntryType::Regular;
    tar(&root.join("c.tar"), &[(LIB.as_bytes(), file, b"fn a() {}")]);
    let mut encoder = flate2::write::GzEncoder::new(
        File::create(root.join("d.tar.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    let plain = fs::read(root.join("c.tar")).unwrap();
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap();

    let found = discover(root).unwrap();
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["alice", "b", "c", "d"]);
    for submission in found {
        let taken = submission.take().unwrap();
        assert_eq!(taken.files.len(), 1, "{submission:?}");
        assert_eq!(taken.files[LIB], "fn a() {}");
        assert_eq!(taken.notes, [""; 0]);
    }
}

#[test]
fn an_ending_counts_in_any_case_and_a_file_of_another_kind_is_named() {
    let folder = folder();
    for file in ["ada.ZIP", "bob.Tar.GZ", "kim.rar", "lee.tar.xz", "notes"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    fs::write(folder.path().join(".DS_Store"), "").unwrap();
    let names = |found: &[Submission]| -> Vec<String> {
        found.iter().map(|one| one.name.clone()).collect()
    };
    let found = discover(folder.path()).unwrap();
    assert_eq!(names(&found), ["ada", "bob"]);
    let unread = unread(folder.path()).unwrap();
    assert_eq!(names(&unread), ["kim", "lee", "notes"]);
    let Err(Untaken::Unreadable(why)) = unread[0].take() else {
        panic!("it is not read");
    };
    assert!(why.contains("kim.rar: neither"), "{why}");
}

#[test]
fn the_only_archive_in_a_folder_is_taken() {
    let folder = folder();
    let ada = folder
        .path()
        .join("Ada Lovelace_123_assignsubmission_file_");
    fs::create_dir(&ada).unwrap();
    zip(&ada.join("lab.zip"), |zip| put(zip, LIB, b"fn a() {}"));
    fs::write(ada.join("notes.txt"), "hello").unwrap();
    let submission = recognise(&ada).unwrap();
    assert_eq!(submission.name, "Ada_Lovelace_123_assignsubmission_file_");
    assert_eq!(submission.take().unwrap().files[LIB], "fn a() {}");
    zip(&ada.join("older.zip"), |zip| put(zip, LIB, b"fn b() {}"));
    assert!(matches!(submission.take(), Err(Untaken::Unreadable(_))));
}

#[test]
fn what_has_nothing_of_the_stages_is_unreadable() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    zip(&folder.path().join("other.zip"), |zip| {
        put(zip, "src/lib.rs", b"fn a() {}");
    });
    for submission in discover(folder.path()).unwrap() {
        let Err(Untaken::Unreadable(why)) = submission.take() else {
            panic!("there is nothing to take of {submission:?}");
        };
        assert!(why.contains("nothing of stages/ in it"), "{why}");
    }
}

#[test]
fn a_path_with_dots_in_a_zip_is_left_out_with_a_note() {
    let folder = folder();
    let submission = zip(&folder.path().join("a.zip"), |zip| {
        put(zip, LIB, b"good");
        put(zip, "../../stages/v1-kernel-only/src/evil.rs", b"evil");
        put(zip, "/stages/v1-kernel-only/src/evil.rs", b"evil");
    });
    let taken = submission.take().unwrap();
    assert_eq!(taken.files.keys().collect::<Vec<_>>(), [LIB]);
    assert!(taken.notes[0].contains("`..`"), "{:?}", taken.notes);
    assert!(taken.notes[1].contains("absolute"), "{:?}", taken.notes);
}

#[test]
fn links_in_archives_are_left_out_with_a_note() {
    let folder = folder();
    let in_zip = zip(&folder.path().join("a.zip"), |zip| {
        let options = SimpleFileOptions::default();
        zip.add_symlink(LIB, "/etc/passwd", options).unwrap();
    });
    let link = tar::EntryType::Symlink;
    let in_tar = tar(&folder.path().join("b.tar"), &[(LIB.as_bytes(), link, b"")]);
    for submission in [in_zip, in_tar] {
        let taken = submission.take().unwrap();
        assert!(taken.files.is_empty());
        assert!(taken.notes[0].contains("link"), "{:?}", taken.notes);
    }
}

#[test]
#[cfg(unix)]
fn links_out_of_a_folder_are_left_out_with_a_note() {
    let folder = folder();
    let source = folder.path().join("alice/stages/v1-kernel-only");
    fs::create_dir_all(&source).unwrap();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::write(folder.path().join("elsewhere/lib.rs"), "secret").unwrap();
    std::os::unix::fs::symlink("../../../elsewhere", source.join("src")).unwrap();
    let other = folder.path().join("alice/stages/v2-timer-irq/src");
    fs::create_dir_all(&other).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", other.join("lib.rs")).unwrap();
    let taken = recognise(&folder.path().join("alice")).unwrap().take();
    let taken = taken.unwrap();
    assert!(taken.files.is_empty());
    assert!(taken.notes[0].contains("link"), "{:?}", taken.notes);
}

#[test]
fn names_and_texts_that_are_not_utf_8_are_left_out_with_a_note() {
    let folder = folder();
    let file = tar::EntryType::Regular;
    let submission = tar(
        &folder.path().join("a.tar"),
        &[
            (b"stages/v1-kernel-only/src/\xff.rs", file, b"x"),
            (LIB.as_bytes(), file, b"\xff\xfe"),
        ],
    );
    let taken = submission.take().unwrap();
    assert!(taken.files.is_empty());
    assert!(taken.notes[0].contains("its name is not UTF-8"));
    assert!(taken.notes[1].contains("it is not UTF-8 text"));
}

#[test]
fn a_file_that_is_too_large_is_left_out_however_small_it_is_packed() {
    let folder = folder();
    let submission = zip(&folder.path().join("bomb.zip"), |zip| {
        put(zip, LIB, &vec![b' '; 64 << 20]);
    });
    assert!(fs::metadata(folder.path().join("bomb.zip")).unwrap().len() < 100_000);
    let taken = submission.take().unwrap();
    assert!(taken.files.is_empty());
    assert!(taken.notes[0].contains("256 KiB"), "{:?}", taken.notes);
}

#[test]
fn too_many_files_are_cut_off_and_the_notes_stay_few() {
    let folder = folder();
    let submission = zip(&folder.path().join("a.zip"), |zip| {
        for index in 0..600 {
            put(zip, &format!("stages/v1-kernel-only/src/f{index}.rs"), b"");
        }
    });
    let taken = submission.take().unwrap();
    assert_eq!(taken.files.len(), 500);
    assert_eq!(taken.notes.last().unwrap(), "and more of this kind");
}

#[test]
fn damaged_archives_are_unreadable_and_no_crash() {
    let folder = folder();
    for name in ["a.zip", "b.tar", "c.tar.gz", "d.zip"] {
        let path = folder.path().join(name);
        let bytes: &[u8] = if name == "d.zip" { b"" } else { &[7; 5000] };
        fs::write(&path, bytes).unwrap();
        let taken = recognise(&path).unwrap().take();
        assert!(matches!(taken, Err(Untaken::Unreadable(_))), "{taken:?}");
    }
}

#[test]
fn of_two_trees_the_one_nearest_to_the_top_counts() {
    let folder = folder();
    let submission = zip(&folder.path().join("a.zip"), |zip| {
        put(zip, &format!("lab/old/{LIB}"), b"old");
        put(zip, &format!("lab/{LIB}"), b"new");
    });
    let taken = submission.take().unwrap();
    assert_eq!(taken.files[LIB], "new");
    assert!(taken.notes[0].contains("second tree"), "{:?}", taken.notes);
}

#[test]
fn a_repository_is_cloned_and_knows_its_time() {
    let folder = folder();
    let work = folder.path().join("work");
    fs::create_dir_all(work.join("stages/v1-kernel-only/src")).unwrap();
    fs::write(work.join(LIB), "fn a() {}").unwrap();
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "-m",
            "x",
        ],
    ] {
        let mut command = Command::new("git");
        command.arg("-C").arg(&work).args(arguments);
        let status = command
            .env("GIT_COMMITTER_DATE", "2026-10-01T12:00:00Z")
            .status();
        let Ok(status) = status else {
            println!("skipped: there is no git here");
            return;
        };
        assert!(status.success());
    }
    let list = folder.path().join("alice.giturl");
    fs::write(&list, format!("{}\n", work.display())).unwrap();
    let taken = recognise(&list).unwrap().take().unwrap();
    assert_eq!(taken.files[LIB], "fn a() {}");
    assert!(taken.time.unwrap().starts_with("2026-10-01T12:00:00"));
}

#[test]
fn a_repository_that_is_not_there_says_nothing_about_the_student() {
    let gone = Origin::Git(String::from("/no/such/repository"));
    let submission = Submission {
        name: String::from("a"),
        origin: gone,
    };
    assert!(matches!(submission.take(), Err(Untaken::Host(_))));
}

#[test]
fn fingerprints_tell_sources_apart() {
    let stage = &crate::stages::STAGES[0];
    let taken = |files: &[(&str, &str)]| Taken {
        files: files
            .iter()
            .map(|(name, text)| (format!("stages/v1-kernel-only/{name}"), text.to_string()))
            .collect(),
        ..Taken::default()
    };
    let one = taken(&[("a", "bc")]).fingerprint(stage);
    assert_ne!(one, taken(&[("ab", "c")]).fingerprint(stage));
    assert_eq!(one, taken(&[("a", "bc")]).fingerprint(stage));
}
