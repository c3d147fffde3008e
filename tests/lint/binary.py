#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""binary.py SLUICE - what the release binary promises: hardened (SEC-85), without functions that
start programs (SEC-86), draw weak random numbers (SEC-36), edit JSON or text unbounded (SEC-33,
SEC-34). What it links is one thing; this looks at what it imports itself."""
import re
import subprocess
import sys

BANNED = re.compile(
    r"(system|popen|exec(v|ve|vp|vpe|l|le|lp)|fexecve|posix_spawnp?|v?fork|dlopen"
    r"|s?rand|s?random|rand_r|[delnmj]rand48"
    r"|ato[ilf]|atoll|gets|strcpy|strcat|v?sprintf|strtok|mktemp|tmpnam|tempnam"
    r"|cJSON_Minify|cJSONUtils_.*)$")


def tool(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def main(path):
    program = tool("readelf", "-lW", path)
    dynamic = tool("readelf", "-dW", path)
    imports = {line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--undefined-only", path).splitlines()}
    stack = re.search(r"GNU_STACK.*", program)
    complaints = [text for bad, text in [
        (not re.search(r"FLAGS_1\).*\bPIE\b", dynamic), "is not position independent"),
        ("GNU_RELRO" not in program or "BIND_NOW" not in dynamic, "has no full RELRO"),
        (not stack or "RWE" in stack.group(), "has an executable stack"),
        ("RUNPATH" in dynamic or "RPATH" in dynamic, "searches libraries in a path of its own"),
        ("__stack_chk_fail" not in imports, "has no stack protector"),
        ("__memcpy_chk" not in imports, "is not built with _FORTIFY_SOURCE"),
    ] if bad] + [f"imports {name}" for name in sorted(imports) if BANNED.match(name)]
    for text in complaints:
        print(f"{path} {text}")
    print(f"{path}: {len(imports)} imports, {len(complaints)} complaints")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
