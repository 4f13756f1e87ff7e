#!/usr/bin/env bash
# Gradescope runs this once, as root, when the bundle has been uploaded: it
# installs what a build needs, and builds the clean tree.
set -euo pipefail

apt-get update -q
apt-get install -q -y --no-install-recommends ca-certificates curl gcc libc6-dev
curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y --profile minimal --default-toolchain stable

export PATH="$HOME/.cargo/bin:$PATH"
cd /autograder/source/tree
cargo fetch --locked
cargo build --locked --quiet --package lab
for version in 1 2 3 4 5 6 7; do
    cargo build --locked --quiet --package "run-v$version"
done
