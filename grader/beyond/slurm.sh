#!/bin/bash
# Grades a class with a job array of Slurm. From the root of this tree, on a file
# system that all nodes see, with Rust in the PATH and the crates fetched:
#
#     cargo fetch --locked
#     sbatch grader/beyond/slurm.sh /path/to/submissions /path/to/results [class.csv]
#
# and when all tasks are done:
#
#     cargo lab merge /path/to/results/shard-* --out /path/to/results/all
#
# A task, and merge, that end with 3 name those on whom the host failed. All others
# are graded: export what there is, and run the same again for the rest.
#
#SBATCH --job-name=heptavisor
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
set -euo pipefail

submissions=${1:?the folder with the submissions}
results=${2:?the folder for the results}
roster=()
[ -n "${3:-}" ] && roster=(--roster "$3")

# Each task builds the clean tree on its own node's disk.
CARGO_TARGET_DIR=$(mktemp -d)
export CARGO_TARGET_DIR CARGO_NET_OFFLINE=true
trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT

cargo lab batch "$submissions" --out "$results/shard-$SLURM_ARRAY_TASK_ID" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --jobs "$SLURM_CPUS_PER_TASK" "${roster[@]}"
