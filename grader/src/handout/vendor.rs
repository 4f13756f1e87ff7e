//! Puts the crates' sources along, so that a tree builds without a network.
//!
//! All crates of `Cargo.lock` go along, those for other hosts than this one, too:
//! cargo wants every crate that the lock file names, and the students' hosts are
//! not known here.

use super::failed;
use crate::compile::cargo_command;
use crate::error::LabError;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

/// Where they lie.
const FOLDER: &str = "vendor";

/// What tells cargo so.
const SETTINGS: &str = "
# The crates lie in this tree: nothing is fetched from a network.
[source.crates-io]
replace-with = \"vendored-sources\"
[source.vendored-sources]
directory = \"vendor\"
";

/// Cargo checks the sources byte by byte, so nobody may change the ends of their
/// lines.
const ATTRIBUTES: &str = "* -text\n";

/// Puts them into the tree in `out`.
///
/// # Errors
/// If cargo does not have them and cannot fetch them, or files cannot be written.
pub(super) fn put_along(out: &Path) -> Result<(), LabError> {
    let mut cargo = cargo_command();
    cargo
        .current_dir(out)
        .args(["vendor", "--quiet", "--locked", "--versioned-dirs"])
        .args(["--respect-source-config", FOLDER])
        .stdin(Stdio::null());
    let output = cargo
        .output()
        .map_err(|error| failed("cargo cannot be run", error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let doing = "the crates' sources cannot be put along (run `cargo fetch` in the \
                     instructor's tree where there is a network, and then try again)";
        return Err(failed(doing, said.trim_end()));
    }
    settle(out).map_err(|error| failed("the handout's settings cannot be written", error))
}

fn settle(out: &Path) -> io::Result<()> {
    fs::write(out.join(FOLDER).join(".gitattributes"), ATTRIBUTES)?;
    let settings = out.join(".cargo/config.toml");
    let mut file = fs::OpenOptions::new().append(true).open(settings)?;
    file.write_all(SETTINGS.as_bytes())
}
