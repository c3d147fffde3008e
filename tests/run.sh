#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - runs the tests in stages and prints each one's seconds. A stage that fails shows its log
# and does not stop the others. The last line is the sum: "N passed, N failed".
#
#   tests/run.sh              what guards a change
#   tests/run.sh --quick      format, lint, debug build, unit tests, fuzz corpus
#   tests/run.sh --long       everything, and what takes long
#   tests/run.sh --only STAGE one stage, with the build that it needs
#   tests/run.sh --fmt        format the sources in place
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

jobs=2
logs=build-logs
passed=0 failed=0 skipped=0
failed_stages=()
mode=test only=
case "${1-}" in
"") ;;
--quick) mode=quick ;;
--long) mode=long ;;
--fmt) mode=fmt ;;
--only) mode=only only=${2:?which stage?} ;;
*)
    echo "usage: tests/run.sh [--quick|--long|--fmt|--only STAGE]" >&2
    exit 2
    ;;
esac
# For the tests themselves: more seeds, more browsers.
[ "$mode" = long ] && export TESTS_LONG=1

sources() {
    find rtp conf ice sfu signaling tests bench -name node_modules -prune -o \
        \( -name '*.c' -o -name '*.h' \) -print
}

# The output of a stage says how many tests ran: Criterion's counts, Python's "Ran N tests",
# replays and plain programs by meson's count, Node's "pass N". A closing "N passed, N failed" replaces
# them; a stage without any of these is one test.
count() { # log, status
    awk -v status="$2" '
        /^counted: .*Synthesis: Tested:/ {
            gsub(/\033\[[0-9;]*m/, "")
            for (i = 1; i < NF; i++) {
                if ($i == "Passing:") p += $(i + 1)
                if ($i == "Failing:" || $i == "Crashing:") f += $(i + 1)
            }
            seen = 1; programs++
        }
        /^counted: [0-9]+ passed/ { p += $2; f += $4; seen = 1; programs++ }
        /^Ran [0-9]+ tests? in / { ran += $2; seen = 1 }
        /^FAILED \((failures|errors)=/ { n = $0; gsub(/[^0-9]+/, " ", n); split(n, a, " ")
            for (i in a) pyfail += a[i] }
        /^Ok: +[0-9]+/ { meson_ok = $2; seen = 1 }
        /^(Fail|Timeout|Unexpected Pass): +[0-9]+/ { meson_fail += $NF }
        NF { last = $0 }
        # node --test, as TAP or for people
        /^(#|ℹ) pass [0-9]+/ { p += $3; seen = 1 }
        /^(#|ℹ) (fail|cancelled) [0-9]+/ { f += $3 }
        /^(#|ℹ) skipped [0-9]+/ { s += $3 }
        END {
            p += ran - pyfail; f += pyfail
            # Programs that count are counted by their tests, the others by themselves.
            other = meson_ok + meson_fail - programs
            if (other > 0) {
                bad = meson_fail < other ? meson_fail : other
                if (f > 0) bad = 0
                p += other - bad; f += bad
            }
            if (last ~ /^[0-9]+ passed, [0-9]+ failed/) {
                split(last, a, " "); p = a[1]; f = a[3]; s = a[5]; seen = 1
            }
            if (!seen) { if (status == 0) p = 1; else f = 1 }
            if (status != 0 && f == 0) f = 1
            print p + 0, f + 0, s + 0
        }' "$1"
}

stage() { # name, command...
    local name=$1 start=$SECONDS status=0 p f s
    shift
    [ "$mode" = only ] && [ "$only" != "$name" ] && [[ "$name" != build* ]] && return
    printf '%-14s ' "$name"
    "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
    read -r p f s < <(count "$logs/$name.log" "$status")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%4d s  %d passed, %d failed%s%s\n' $((SECONDS - start)) "$p" "$f" \
        "$([ "$s" -gt 0 ] && echo ", $s skipped")" "$(sed -n 's/^run twice: /; run twice: /p' "$logs/$name.log")"
    if [ "$f" -gt 0 ]; then
        failed_stages+=("$name")
        echo "---- the end of $logs/$name.log"
        grep -vE '^\[[0-9]+/[0-9]+\] |^ *[0-9]+/[0-9]+ .* OK |^counted: ' "$logs/$name.log" | tail -n 80
        echo "----"
    fi
    return "$status"
}

# Work that looks at no clock starts beside a stage that mostly waits, and gets the time that is
# left; "stage NAME ended NAME" is its outcome.
declare -A beside_pid
beside() { # name, command...
    local name=$1
    shift
    (chrt --idle --pid 0 "$BASHPID" || renice -n 19 "$BASHPID" >/dev/null
        "$@") >"$logs/$name.beside" 2>&1 </dev/null &
    beside_pid[$name]=$!
}

ended() { # name
    local status=0
    wait "${beside_pid[$1]}" || status=$?
    cat "$logs/$1.beside"
    return "$status"
}

# ---- stages ----------------------------------------------------------------------------------

clang_format() {
    command -v clang-format-14 || command -v clang-format
}

stage_format() {
    sources | xargs -n 40 "$(clang_format)" --dry-run --Werror
}

stage_lint() {
    python3 tests/lint/test_check.py && python3 tests/lint/check.py --scorecard
}

# A build folder that is made once and then only updated.
build() { # folder, meson arguments...
    local folder=$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$@" || return
    fi
    ninja -j"$jobs" -k 10 -C "$folder"
}

build_debug() {
    build build-debug --buildtype=debug -Dwerror=true
}

build_release() {
    build build-release --buildtype=release -Db_lto=true -Dtests=false &&
        python3 tests/lint/binary.py build-release/sluice
}

# clang sees other warnings, and checks the thread roles. It also looks into Criterion's macros, where
# gcc does not: an int against a size_t in an assertion is no fault.
build_asan() {
    CC=clang-14 build build-asan --buildtype=debugoptimized -Dwerror=true -Dbench=false \
        -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args="-fno-sanitize-recover=all -fno-omit-frame-pointer -Wthread-safety -Wno-error=sign-compare"
}

meson_test() { # folder, arguments...
    local folder=$1 status=0
    shift
    meson test -C "$folder" --no-rebuild --print-errorlogs --num-processes "$jobs" "$@" || status=$?
    # What the programs counted themselves stands in the log of meson.
    grep -hE 'Synthesis:|^[0-9]+ passed, [0-9]+ failed' "$folder/meson-logs/testlog.txt" |
        sed 's/^/counted: /'
    return "$status"
}

# Criterion lets leaks pass, so a report of the sanitizer is a file, and the file is the failure.
under_asan() { # arguments of meson_test
    local status=0 report
    rm -f build-asan/report.*
    ASAN_OPTIONS="log_path=$PWD/build-asan/report:detect_stack_use_after_return=1:halt_on_error=1" \
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1" \
        LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0" \
        meson_test build-asan --timeout-multiplier 4 "$@" || status=$?
    for report in build-asan/report.*; do
        [ -f "$report" ] || continue
        head -n 60 "$report"
        status=1
    done
    return "$status"
}

# Servers against the clock, and a machine that may stand still: a second run, alone, decides what
# failed, and is named. What a sanitizer found stays found.
stage_server() {
    local first=$logs/server.first names=()
    if under_asan --suite server --suite conformance --num-processes 3 >"$first" 2>&1; then
        cat "$first"
        return
    fi
    sed 's/^/first run: /' "$first"
    [ -z "$(compgen -G 'build-asan/report.*')" ] || return
    mapfile -t names < <(python3 -c '
import json, sys
for line in open("build-asan/meson-logs/testlog.json"):
    test = json.loads(line)
    if test["result"] not in ("OK", "SKIP"):
        print(test["name"].split()[-1])')
    [ "${#names[@]}" -gt 0 ] || return
    grep '^counted: ' "$first" | grep -vE ' [1-9][0-9]* failed'
    echo "run twice: ${names[*]}"
    [ "${#beside_pid[@]}" -eq 0 ] || wait "${beside_pid[@]}" || true # else not alone
    under_asan --num-processes 1 "${names[@]}"
}

# Criterion cannot run under ThreadSanitizer, so these are programs of their own.
build_tsan() {
    if [ ! -f build-tsan/build.ninja ]; then
        meson setup build-tsan --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false \
            -Dbench=false || return
    fi
    local targets
    mapfile -t targets < <(meson introspect build-tsan --targets | python3 -c '
import json, sys
for t in json.load(sys.stdin):
    if t["type"] == "executable" and "/tests/stress/" in t["target_sources"][0]["sources"][0]:
        print("tests/" + t["name"])')
    ninja -j"$jobs" -C build-tsan "${targets[@]}"
}

stage_tsan() {
    local run=()
    # gcc 12's runtime does not find room beside a kernel's wider address randomisation.
    setarch -R true 2>/dev/null && run=(setarch -R)
    build_tsan || return
    TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1" "${run[@]}" \
        meson test -C build-tsan --no-rebuild --num-processes "$jobs" --print-errorlogs --suite stress \
        --timeout-multiplier 4
}

stage_libfuzzer() { # every target for a minute
    local name status=0
    if [ ! -f build-fuzz/build.ninja ]; then
        CC=clang-14 meson setup build-fuzz --buildtype=debugoptimized -Dfuzz=libfuzzer -Dtests=false \
            -Dbench=false -Db_sanitize=address,undefined -Db_lundef=false \
            -Dc_args="-fno-sanitize-recover=all -fsanitize=fuzzer-no-link" || return
    fi
    ninja -j"$jobs" -C build-fuzz || return
    for name in tests/fuzz/fuzz_*.c; do
        name=$(basename "$name" .c)
        mkdir -p "build-fuzz/new/$name"
        echo "== $name"
        "build-fuzz/tests/$name" -max_total_time=60 -print_final_stats=1 \
            -artifact_prefix="build-fuzz/$name-" "build-fuzz/new/$name" \
            "tests/fuzz/corpus/${name#fuzz_}" 2>&1 | tail -n 12
        [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
    done
    return "$status"
}

# Advice, not a gate: needs clang-tidy-14.
stage_tidy() {
    sources | grep -E '^(rtp|conf|ice|sfu|signaling)/.*\.c$' |
        xargs -n 1 -P "$jobs" clang-tidy-14 -p build-asan --quiet
}

# ---- order -----------------------------------------------------------------------------------

if [ "$mode" = fmt ]; then
    sources | xargs -n 40 "$(clang_format)" -i
    exit
fi

start=$SECONDS
mkdir -p "$logs"
echo "packages"
.ci/deps test || exit 1

stage format stage_format
stage lint stage_lint
not_unit=(--no-suite stress --no-suite server --no-suite conformance --no-suite conformance-long)
sim_later=() # in virtual time: beside the servers
[ "$mode" = test ] || [ "$mode" = long ] && sim_later=(--no-suite sim)
if [ "$mode" != only ] || [ "$only" = unit ]; then
    stage build-debug build_debug &&
        stage unit meson_test build-debug "${not_unit[@]}" "${sim_later[@]}"
fi
if [ "$mode" = test ] || [ "$mode" = long ] || [[ "$only" =~ ^(asan|server)$ ]]; then
    if stage build-asan build_asan; then
        # For memory, not for figures: one seed a scenario.
        SIM_SEEDS=1 stage asan under_asan "${not_unit[@]}"
        if [ "$mode" != only ]; then
            beside sim meson_test build-debug --suite sim
            beside builds eval 'build_release && build_tsan'
        fi
        # They mostly wait; those that do not run alone.
        stage server stage_server
        if [ "$mode" != only ]; then
            stage sim ended sim
            wait
        fi
    fi
fi
if [ "$mode" = test ] || [ "$mode" = long ] || [ "$only" = tsan ]; then
    stage tsan stage_tsan
fi
if [ "$mode" = test ] || [ "$mode" = long ] || [[ "$only" =~ ^(e2e|clients|bench)$ ]]; then
    if stage build-release build_release; then
        if [ "$only" = clients ]; then
            stage clients tests/clients/run.sh build-release/sluice
        fi
        if [ -x tests/e2e/run.sh ]; then
            stage e2e env SLUICE="$PWD/build-release/sluice" tests/e2e/run.sh
        fi
        if [ -x bench/run.sh ] && { [ "$mode" = long ] || [ "$only" = bench ]; }; then
            stage bench bench/run.sh build-release
        fi
    fi
fi
if [ "$mode" = long ] || [ "$only" = conformance-long ]; then
    stage build-debug build_debug &&
        stage conformance-long meson_test build-debug --suite conformance-long --num-processes 1
fi
if [ "$only" = tidy ]; then
    stage build-asan build_asan && stage tidy stage_tidy && cat "$logs/tidy.log"
fi
if [ "$mode" = long ] || [ "$only" = libfuzzer ]; then
    stage libfuzzer stage_libfuzzer
fi
if [ "$mode" = long ] || [ "$only" = image ]; then
    stage image docker/build-image.sh
fi

echo "total $((SECONDS - start)) s${failed_stages[*]:+, failed: ${failed_stages[*]}}"
summary="$passed passed, $failed failed"
[ "$skipped" -gt 0 ] && summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
