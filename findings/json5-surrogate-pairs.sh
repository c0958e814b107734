#!/usr/bin/env bash
# json5 for Python decodes the escapes of one character above U+FFFF into two characters that can't be encoded.
#
# Version: json5 0.17.3 (PyPI)
# Source: https://spec.json5.org/#escapes (a character above U+FFFF is escaped as its UTF-16 surrogate pair);
#   reported as https://github.com/dpranke/pyjson5/pull/110, closed.
# Expected: json5.loads('"\\ud83d\\ude00"') is '😀', as with json.loads, and loads(dumps(text)) is text.
# Seen: two lone surrogates, U+D83D and U+DE00. str.encode raises UnicodeEncodeError for them, so storing or
#   sending the text fails far from the place where it was read. loads(dumps('😀')) isn't '😀' either.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" json5==0.17.3

PYTHONPATH=$folder python3 - <<'EOF'
import json

import json5

text = r'"\ud83d\ude00"'
strict, lenient = json.loads(text), json5.loads(text)
round_trip = json5.loads(json5.dumps("\N{GRINNING FACE}"))
try:
    lenient.encode()
    encoded = "works"
except UnicodeEncodeError as error:
    encoded = f"UnicodeEncodeError: {error.reason}"
print("json.loads: ", [f"U+{ord(letter):04X}" for letter in strict])
print("json5.loads:", [f"U+{ord(letter):04X}" for letter in lenient])
print("encoding what json5 read:", encoded)
print("json5.loads(json5.dumps(text)) == text:", round_trip == "\N{GRINNING FACE}")
assert strict == "\N{GRINNING FACE}", "json.loads changed"
assert lenient == "\ud83d\ude00" and encoded.startswith("UnicodeEncodeError"), "json5.loads changed"
assert round_trip != "\N{GRINNING FACE}", "json5's round trip changed"
EOF
