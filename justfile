# Every command of the project; each is short enough to type where `just` is missing.

export PATH := justfile_directory() / "target/tools/bin" + ":" + env("PATH")

# These recipes
list:
    @{{ just_executable() }} --list --unsorted

# Everything CI runs
check:
    bash .ci/run

# What takes too long for each change, after what CI runs: hours, on a machine that does nothing else
nightly: check kill soak flips crash races model asan exhaustion outages entries versus
    for target in claims frames headers proxy_protocol route scope; do {{ just_executable() }} fuzz $target; done

# The way of somebody new, timed: from a clone to the first hit that the real client reports
newcomer:
    bash benches/newcomer

# All tests: units, sockets, the model, the source tree, the real client
test:
    cargo test

# The model against a map, for longer than usual
model cases="10000":
    PROPTEST_CASES={{ cases }} cargo test --test model

# kill -9 under traffic and what is found afterwards, for longer than usual
kill rounds="300":
    KILL_ROUNDS={{ rounds }} cargo test --test it killed -- --nocapture

# Mixed traffic before an origin that fails at random; the seed is printed and can be given
soak minutes="30" seed="$(date +%s)":
    SOAK_SECONDS=$(({{ minutes }} * 60)) SOAK_SEED={{ seed }} cargo test --test it soak -- --nocapture

# Single bits flipped in entries of all sizes, and how many of them anybody was served
flips rounds="500":
    FLIP_ROUNDS={{ rounds }} cargo test --lib tiers::tests::flips -- --nocapture

# The disk tier started on every state that a crash may leave of longer bodies, with their number
crash:
    CRASH_STATES=all cargo test --lib tiers::tests::crash -- --nocapture

# Every order of what threads do to one key, where threads give way more often than usual
races deeper="1":
    RACES={{ deeper }} cargo test --release --lib interleavings -- --nocapture

# What maps files and sends them, under the sanitizer that watches addresses
asan:
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --lib --target x86_64-unknown-linux-gnu -- mapped outlet server::tests::files uncopied

# The real turbo client from npm, directly and through Larder
turbo:
    cargo test --test turbo

# The dashboard in Chromium, and before it a real Larder
browser:
    cargo test --test browser

# Pictures of the dashboard after minutes of traffic, idle, busy and with the upstream down, into target/screenshots
screenshots minutes="1":
    SCREENSHOT_MINUTES={{ minutes }} cargo test --test browser -- --ignored screenshots --nocapture

# What users of the real client wait for when the upstream or Larder is bad, as tables: an hour, mostly waiting
outages:
    cargo test --test turbo -- --ignored outages --nocapture

# The API's documentation, where a broken link is an error
doc:
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps

# The tools that `deny` and `check` need, into target/tools
tools:
    bash .ci/tools

# Licences, sources, duplicates, forbidden crates, unused dependencies
deny: tools
    cargo deny check bans licenses sources
    cargo shear

# The units of systemd, read as it would, and how little the service may do
units:
    cargo build --release
    bash deploy/systemd/verify target/release/larder

# What is shipped for containers and monitoring, read as those would who use it
deploy: tools
    cargo build --release
    bash deploy/verify target/release/larder

# The chart, rendered and held against Kubernetes' schemas and the program
chart:
    cargo build --release
    bash deploy/helm/verify target/release/larder

# The action of GitHub's, run as a runner would
action:
    cargo build --release
    bash deploy/github-action/verify target/release/larder

# Milliseconds from start to listening on an empty data directory
start-up runs="20":
    cargo build --release
    bash benches/start-up {{ runs }}

# Growth of the process while 100 MiB go up, come back, and are fetched cold
memory:
    cargo build --release
    bash benches/memory

# What a connection takes of memory, by what its client does
connections:
    cargo build --release
    cargo run --example connections

# Clients that take what they can get, as many as bounds are made for: others are served, memory stays in a sum
exhaustion:
    EXHAUSTION=full cargo test --release --test it exhaustion -- --nocapture --test-threads 1

# What N artifacts cost a start: to listening, to a hit in an unread folder, to the end of the scan, in memory
entries n="1000000" dir="target":
    cargo build --release
    bash benches/entries {{ n }} {{ dir }}

# What landing a small artifact costs, beside writing and renaming the same bytes
commit-cost *dir:
    cargo bench --bench commit -- {{ dir }}

# How fast one core makes checksums: ours, and what it might have been
checksums:
    cargo bench --bench checksums

# Orders of eviction replayed against synthetic builds: writes docs/eviction/, prints the document's tables
policies:
    cargo bench --bench policies

# Bytes an entry and nanoseconds a call of the disk tier's index, from a thousand entries to a million
index:
    cargo bench --bench index

# The same work for Larder, nginx and Varnish, into docs/performance.md: 20 minutes on a machine that does nothing else.
# Some rows only, or `--quick`, which shows that it works and writes nothing: `just versus --quick hit-1k`
versus *rows:
    cargo build --release
    cargo run --release --example versus -- run --write {{ rows }}

# Instructions of a hit from memory and from the disk
instructions:
    bash benches/instructions

# The same, written down for CI to hold the next change to; the commit says why they changed
instructions-record:
    bash benches/instructions record

# Nanoseconds of each piece of a hit from memory
hot-path:
    cargo bench --bench hot_path

# Instructions of a look-up in memory, among a thousand artifacts, a hundred thousand and a million
look-ups:
    bash benches/look-ups

# One parser against random input, for longer than usual; the corpus grows
fuzz target seconds="600": tools
    RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {{ target }} -- -max_total_time={{ seconds }}

# The main job on this machine with nothing else installed
demo:
    cargo run --release -- demo
