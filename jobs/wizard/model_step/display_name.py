"""Validation of display names: all visible characters of any language are allowed.

Control characters, lone surrogates and bidirectional overrides (U+202A to U+202E, U+2066 to U+2069) are
rejected: overrides make `gpj.exe` look like `exe.jpg` and affect the rest of the line. Joiners (emoji,
Persian) and simple direction marks are allowed. Names from elsewhere are displayed in `<bdi>`, which isolates
them.
"""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def validate_display_name(name: str) -> str:
    """Raise ValidationError with the invalid character and its position."""
    for place, letter in enumerate(name, 1):
        if letter in BIDI_CONTROLS or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}:
            raise ValidationError(
                _("Character %(place)d is invisible (U+%(code)s). Remove it, or retype the name.")
                % {"place": place, "code": f"{ord(letter):04X}"}
            )
    return name
